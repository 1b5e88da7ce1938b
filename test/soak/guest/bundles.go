package main

import (
	"encoding/json"

	"slipway/pkg/service/state"
)

// bundles tells how every service is, once none is on its way any more.
func bundles([]string) error {
	err := until("the services' rest", func() error { return resting() })
	all, listErr := services()
	if listErr != nil {
		return listErr
	}
	for _, s := range all.Services {
		line, err := json.Marshal(map[string]string{"name": s.Name, "state": string(s.State), "cause": s.Cause})
		if err != nil {
			return err
		}
		say("SERVICE %s", line)
	}
	return err
}

type busyError string

func (e busyError) Error() string { return string(e) + " does not rest" }

// resting wants every service tried: up, given up, or on its way again.
func resting() error {
	all, err := services()
	if err != nil {
		return err
	}
	for _, s := range all.Services {
		tried := s.State == state.Ready || s.State == state.Backoff || s.State.Final() || s.Restarts > 0 || s.Cause != ""
		if !tried {
			return busyError(s.Name)
		}
	}
	return nil
}
