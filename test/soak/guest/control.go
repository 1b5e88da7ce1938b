package main

import (
	"fmt"

	"slipway/pkg/service/control"
	"slipway/pkg/service/state"
)

var client = control.Client{Path: "/run/slipway/control.sock"}

func services() (control.List, error) {
	var l control.List
	err := client.Services(&l)
	return l, err
}

func service(name string) (control.Service, error) {
	var s control.Service
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
