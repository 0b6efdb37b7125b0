// What GitOps tools make of objects, by the libraries that they use themselves: a line of JSON in, a line of JSON out.
//
//	gitops health health.lua   an object -> its health, as Argo CD runs the script
//	gitops status              an object -> its status, by kstatus, which Flux and others wait with
//	gitops diff                last applied, desired and live state -> what a sync would still change
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const longestLine = 4 << 20

func main() {
	answer, err := chosen(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		// Nobody may wait for an answer that does not come: an error is one.
		said, err := answer(lines.Bytes())
		if err != nil {
			said = map[string]string{"error": err.Error()}
		}
		text, err := json.Marshal(said)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", text)
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func chosen(args []string) (func(line []byte) (any, error), error) {
	switch {
	case len(args) == 2 && args[0] == "health":
		script, err := os.ReadFile(args[1])
		return func(line []byte) (any, error) { return health(string(script), line) }, err
	case len(args) == 1 && args[0] == "status":
		return status, nil
	case len(args) == 1 && args[0] == "diff":
		return difference, nil
	}
	return nil, fmt.Errorf("usage: gitops health FILE | status | diff")
}

// Whole numbers stay whole, as in what a client of the API server reads.
func objectOf(line []byte) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	return object, object.UnmarshalJSON(bytes.TrimSpace(line))
}
