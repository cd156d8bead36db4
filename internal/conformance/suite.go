package conformance

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// Role is the side of a connection a target plays.
type Role = rawpeer.Role

// The roles a target may play.
const (
	RoleClient = rawpeer.Client
	RoleServer = rawpeer.Server
)

// MessageLimit is the largest message a target must echo; a larger one must
// be refused. Inflated octets count.
const MessageLimit = 16<<20 + 64<<10

// DefaultPatience bounds every single wait for the target.
const DefaultPatience = 5 * time.Second

// DefaultWorkers is how many cases run side by side.
const DefaultWorkers = 4

// The bounds on one whole case, and the factor by which a slow case is given
// more patience.
const (
	caseTimeout      = 60 * time.Second
	slowCaseTimeout  = 8 * time.Minute
	slowCasePatience = 6
)

// Case is one thing asked of a target.
type Case struct {
	ID    string
	Title string
	// Slow cases move much data: they are given more patience, and many have
	// a shorter form, used when Options.Short is set.
	Slow bool
	// Deflate cases need a target that is ready for permessage-deflate. A
	// target may be ready for it in every other case too.
	Deflate bool
	// Only restricts the case to targets of one role; zero means both.
	Only Role
	// Run plays the case. A nil error is OK, a *VerdictError says what it
	// says, any other error is Failed.
	Run func(ctx context.Context, s *Session) error
}

// Group returns the first component of the id, such as "7" or "H".
func (c Case) Group() string {
	group, _, _ := strings.Cut(c.ID, ".")
	return group
}

// Target is what is judged: an endpoint that echoes every text and binary
// message of up to MessageLimit octets and answers a close.
type Target struct {
	Name string
	Role Role
	// Connect returns a fresh connection. Of a server target it is one over
	// which a client handshake may start; of a client target it is one on
	// which the client's request waits.
	Connect func(ctx context.Context, c Case) (net.Conn, error)
	// Host and Path go into requests to a server target; by default the
	// connection's remote address and "/".
	Host, Path string
}

// Options choose what runs.
type Options struct {
	// Groups are ids or their leading parts, such as "6", "12.1" or
	// "H.close"; empty means every case.
	Groups []string
	// Short asks slow cases for their short form.
	Short bool
	// Uncapped sends all messages of the compression cases of groups 12 and
	// 13; otherwise a case ends after trainCap octets.
	Uncapped bool
	// Workers is how many cases run side by side; zero is DefaultWorkers.
	Workers int
	// Patience bounds each wait; zero is DefaultPatience.
	Patience time.Duration
	// Observe, when set, is called with each result as it is known, from one
	// goroutine at a time.
	Observe func(Result)
}

// Cases returns every case that applies to targets of the role: the listed
// ones first, the hostile ones after.
func Cases(role Role) []Case {
	all := append(ListedCases(), HostileCases()...)
	return slices.DeleteFunc(all, func(c Case) bool { return c.Only != 0 && c.Only != role })
}

// ListedCases returns the cases of the published list, in its order.
func ListedCases() []Case {
	return slices.Concat(
		framingCases(),
		pingCases(),
		reservedCases(),
		opcodeCases(),
		fragmentationCases(),
		utf8Cases(),
		closeCases(),
		limitCases(),
		miscCases(),
		deflateCases(),
	)
}

// HostileCases returns the cases beyond the list, for both roles.
func HostileCases() []Case {
	return slices.Concat(
		hostileHeaderCases(),
		hostileFragmentCases(),
		hostileUTF8Cases(),
		hostileCloseCases(),
		hostilePingCases(),
		hostileDeflateCases(),
		hostileOfferCases(),
		hostileAnswerCases(),
		hostileRequestCases(),
		hostileResponseCases(),
	)
}

// selected reports whether the options ask for the case.
func (o Options) selected(c Case) bool {
	if len(o.Groups) == 0 {
		return true
	}
	return slices.ContainsFunc(o.Groups, func(g string) bool {
		return c.ID == g || strings.HasPrefix(c.ID, g+".")
	})
}

// Run plays the selected cases against the target and reports. Canceling the
// context fails the cases that have not finished.
func Run(ctx context.Context, t Target, o Options) Report {
	cases := slices.DeleteFunc(Cases(t.Role), func(c Case) bool { return !o.selected(c) })
	report := Report{Target: t.Name, Role: t.Role, Results: make([]Result, len(cases))}
	workers := o.Workers
	if workers <= 0 {
		workers = DefaultWorkers
	}
	started := time.Now()
	indexes := make(chan int)
	var running sync.WaitGroup
	var observing sync.Mutex
	for range workers {
		running.Go(func() {
			for i := range indexes {
				result := runCase(ctx, t, o, cases[i])
				report.Results[i] = result
				if o.Observe != nil {
					observing.Lock()
					o.Observe(result)
					observing.Unlock()
				}
			}
		})
	}
	for i := range cases {
		indexes <- i
	}
	close(indexes)
	running.Wait()
	report.Elapsed = time.Since(started)
	return report
}

func runCase(ctx context.Context, t Target, o Options, c Case) Result {
	limit, patience := caseTimeout, o.Patience
	if patience <= 0 {
		patience = DefaultPatience
	}
	if c.Slow {
		limit, patience = slowCaseTimeout, patience*slowCasePatience
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	started := time.Now()
	result := Result{ID: c.ID, Title: c.Title}
	conn, err := t.Connect(ctx, c)
	if err != nil {
		result.Verdict, result.Detail = Failed, "connect: "+err.Error()
		return result
	}
	s := newSession(ctx, t, o, conn, patience)
	err = c.Run(ctx, s)
	s.finish()
	result.Verdict, result.Detail = judge(err)
	if result.Verdict == OK {
		result.Detail = s.note
	} else if ctx.Err() != nil {
		result.Detail += " (" + ctx.Err().Error() + ")"
	}
	result.Elapsed = time.Since(started)
	return result
}
