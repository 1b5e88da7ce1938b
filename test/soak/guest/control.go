package main

import (
	"fmt"

	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
	"slipway/pkg/service/status"
)

var client = control.Client{Path: "/run/slipway/control.sock"}

func services() (status.List, error) {
	var l status.List
	err := client.Services(&l)
	return l, err
}

func service(name string) (status.Service, error) {
	var s status.Service
	err := client.Service(name, &s)
	return s, err
}

func allReady(names ...string) error {
	for _, name := range names {
		s, err := service(name)
		if err != nil {
			return err
		}
		if s.State != state.Ready {
			return fmt.Errorf("%s is %s: %s", name, s.State, s.Cause)
		}
	}
	return nil
}
