package actor_test

import "github.com/tandem-ws/tandem/split"

// oneLoop is a readiness in which everything waits for everything else.
func oneLoop() split.Readiness { return split.NewPoller(1) }
