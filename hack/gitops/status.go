package main

import (
	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
)

func status(line []byte) (any, error) {
	object, err := objectOf(line)
	if err != nil {
		return nil, err
	}
	result, err := kstatus.Compute(object)
	if err != nil {
		return nil, err
	}
	return map[string]string{"status": result.Status.String(), "message": result.Message}, nil
}
