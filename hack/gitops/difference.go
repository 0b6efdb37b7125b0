package main

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// The three states of one object that a client-side apply compares.
type states struct {
	Last    json.RawMessage `json:"last"`
	Desired json.RawMessage `json:"desired"`
	Live    json.RawMessage `json:"live"`
}

// The patch of a client-side apply, as kubectl and Argo CD make it: strategic for kinds whose merge keys are known, a JSON
// merge patch for custom resources. The object is in sync when it is empty.
func difference(line []byte) (any, error) {
	var of states
	if err := json.Unmarshal(line, &of); err != nil {
		return nil, err
	}
	desired, err := objectOf(of.Desired)
	if err != nil {
		return nil, err
	}
	var patch []byte
	switch kind := desired.GroupVersionKind().GroupKind().String(); kind {
	case "IngressRoute.flint.dev":
		patch, err = jsonmergepatch.CreateThreeWayJSONMergePatch(of.Last, of.Desired, of.Live)
	case "Ingress.networking.k8s.io":
		patch, err = strategic(of, networkingv1.Ingress{})
	case "Secret":
		patch, err = strategic(of, corev1.Secret{})
	default:
		return nil, fmt.Errorf("nobody has said how %s is merged", kind)
	}
	if err != nil {
		return nil, err
	}
	return map[string]json.RawMessage{"patch": patch}, nil
}

func strategic(of states, kind any) ([]byte, error) {
	lookup, err := strategicpatch.NewPatchMetaFromStruct(kind)
	if err != nil {
		return nil, err
	}
	return strategicpatch.CreateThreeWayMergePatch(of.Last, of.Desired, of.Live, lookup, true)
}
