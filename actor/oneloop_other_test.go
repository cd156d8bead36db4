//go:build !linux

package actor_test

import "github.com/tandem-ws/tandem/split"

func oneLoop() split.Readiness { return split.NewReadiness() }
