package client

import (
	"errors"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

func TestRestartSaysHowSoonToComeBack(t *testing.T) {
	for name, test := range map[string]struct {
		closed *actor.Closed
		within time.Duration
		ok     bool
	}{
		"hint":              {&actor.Closed{Code: 1012, Initiator: actor.Remote, Reason: "restarting, retry within 200 ms"}, 200 * time.Millisecond, true},
		"at once":           {&actor.Closed{Code: 1012, Initiator: actor.Remote, Reason: "restarting, retry within 0 ms"}, 0, true},
		"other code":        {&actor.Closed{Code: 1001, Initiator: actor.Remote, Reason: "restarting, retry within 200 ms"}, 0, false},
		"our own close":     {&actor.Closed{Code: 1012, Initiator: actor.Local, Reason: "restarting, retry within 200 ms"}, 0, false},
		"other reason":      {&actor.Closed{Code: 1012, Initiator: actor.Remote, Reason: "restarting"}, 0, false},
		"no number":         {&actor.Closed{Code: 1012, Initiator: actor.Remote, Reason: "restarting, retry within some ms"}, 0, false},
		"negative":          {&actor.Closed{Code: 1012, Initiator: actor.Remote, Reason: "restarting, retry within -1 ms"}, 0, false},
		"too long":          {&actor.Closed{Code: 1012, Initiator: actor.Remote, Reason: "restarting, retry within 60001 ms"}, 0, false},
		"beyond any number": {&actor.Closed{Code: 1012, Initiator: actor.Remote, Reason: "restarting, retry within 99999999999999999999 ms"}, 0, false},
		"no connection":     {nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			within, ok := retryHint(test.closed)
			if ok != test.ok || ok && within != test.within {
				t.Errorf("%v, %v", within, ok)
			}
			decision := again(actor.Attempt{Closed: test.closed, Err: errors.New("none"), Default: actor.Decision{Again: true, After: time.Hour}})
			if !decision.Again || test.ok && decision.After > test.within || !test.ok && decision.After != time.Hour {
				t.Errorf("the decision is %+v", decision)
			}
		})
	}
}
