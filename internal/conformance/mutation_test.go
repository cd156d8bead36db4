package conformance

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// mutantPatience keeps mutants that do not answer from costing the full wait.
const mutantPatience = time.Second

// mutants are the faults, and for each the cases that must notice it.
var mutants = []struct {
	fault   fault
	role    Role
	verdict Verdict
	cases   string
}{
	{"altered echo", RoleServer, Failed, "1.1.2 1.2.7 5.3 6.2.1 7.1.1 9.1.1 9.7.3 10.1.1 12.1.1"},
	{"other kind", RoleServer, Failed, "1.1.2 1.2.1 9.8.1 12.2.1"},
	{"no echo", RoleServer, Failed, "1.1.1 3.2 4.1.3 5.15 7.1.1"},
	{"echoes twice", RoleServer, Failed, "1.1.1 5.3 6.1.1 9.1.1"},
	{"late UTF-8", RoleServer, NonStrict, "6.4.1 6.4.2 6.4.3 6.4.4 H.utf8.octet.c0 H.utf8.fragment.c0 H.deflate.utf8-early"},
	{"late UTF-8", RoleClient, NonStrict, "6.4.2 6.4.4 H.utf8.octet.eda0"},
	{"no UTF-8", RoleServer, Failed, "6.3.1 6.3.2 6.4.1 6.6.1 6.16.1 6.20.1 H.utf8.octet.f490 H.deflate.utf8-whole"},
	{"wrong code", RoleServer, Failed, "2.5 3.1 3.2 4.2.5 5.1 5.18 6.3.1 7.3.2 7.5.1 7.9.1 H.length.topbit H.length.beyond H.mask.text H.fragment.empty-over"},
	{"no close frame", RoleServer, NonStrict, "2.5 3.7 4.1.1 5.9 6.3.1 7.3.6 7.9.9 H.length.max63 H.control.fragmented.ping"},
	{"no close frame", RoleClient, NonStrict, "2.5 3.7 6.3.1"},
	{"altered pong", RoleServer, Failed, "2.2 2.3 2.4 2.6 2.9 2.10 2.11 5.6 5.19 H.ping.train"},
	{"no pong", RoleServer, Failed, "2.1 2.10 5.19 5.20"},
	{"answers pongs", RoleServer, Failed, "2.7 2.8 2.9"},
	{"any reserved bit", RoleServer, Failed, "3.1 3.2 3.5 3.6 3.7 H.rsv1.text H.rsv2.ping H.rsv3.continuation"},
	{"RSV1 anywhere", RoleServer, Failed, "3.4 H.rsv1.ping H.deflate.rsv1-ping H.deflate.rsv1-close H.deflate.rsv1-continuation"},
	{"any opcode", RoleServer, Failed, "4.1.1 4.1.5 4.2.1 4.2.5"},
	{"any opcode", RoleServer, Failed, "H.opcode.3 H.opcode.15"},
	{"any mask", RoleServer, Failed, "H.mask.text H.mask.empty H.mask.ping H.mask.close"},
	{"any mask", RoleClient, Failed, "H.mask.text H.mask.ping"},
	{"masks wrongly", RoleServer, Failed, "1.1.1 2.1"},
	{"masks wrongly", RoleClient, Failed, "1.1.1 2.1"},
	{"writes long lengths", RoleServer, Failed, "1.1.1 1.2.5 2.1 7.3.3"},
	{"fragmented control", RoleServer, Failed, "5.1 H.control.fragmented.ping"},
	{"long control", RoleServer, Failed, "2.5 7.3.6 H.control.oversized.ping H.control.huge"},
	{"any length form", RoleServer, Failed, "H.length.nonminimal.short-in-16-bits H.length.nonminimal.short-in-64-bits H.length.nonminimal.medium-in-64-bits"},
	{"continues nothing", RoleServer, Failed, "5.9 5.10 5.11 5.13 5.16 5.17 H.fragment.continuation-first H.fragment.continuation-after-end"},
	{"second start", RoleServer, Failed, "5.18 H.fragment.text-in-text H.fragment.binary-in-text H.fragment.whole-in-binary"},
	{"no limit", RoleServer, Failed, "H.length.beyond H.length.one-over H.length.sum-over"},
	{"endless fragments", RoleServer, Failed, "H.fragment.empty-over H.fragment.empty-flood H.fragment.count-over"},
	{"any close", RoleServer, Failed, "7.3.2 7.5.1 7.9.1 7.9.5 7.9.9 H.close.one-octet H.close.reason-cut H.close.code.1015 H.close.code.5000"},
	{"other reply", RoleServer, Failed, "1.1.1 7.1.1 7.3.3 7.7.1 7.7.13"},
	{"no reply", RoleServer, Failed, "1.1.1 7.1.1 7.3.1 7.7.5"},
	{"reads on after close", RoleServer, Failed, "7.1.2 7.1.3 7.1.4 H.close.data-after"},
	{"stays open", RoleServer, Failed, "1.1.1 7.1.1 7.3.1"},
	{"any deflate", RoleServer, Failed, "H.deflate.tail.block-type H.deflate.tail.distance H.deflate.tail.stored-length"},
	{"bomb", RoleServer, Failed, "H.deflate.bomb.one-over H.deflate.bomb.far-over"},
	{"keeps context", RoleServer, Failed, "13.2.5 13.5.5 13.6.5 13.7.5"},
	{"keeps context", RoleClient, Failed, "13.2.5 13.5.5 13.6.5 13.7.5"},
	{"full window", RoleServer, Failed, "13.3.5 13.3.10 13.5.7 13.7.5 H.deflate.window.8 H.deflate.window.12 H.deflate.window.14"},
	{"full window", RoleClient, Failed, "13.3.5 13.5.10 H.deflate.window.9"},
	{"leaves tail", RoleServer, NonStrict, "12.1.1 13.2.3"},
	{"widened window", RoleServer, Failed, "13.3.1 13.5.2 H.offer.client-bits H.offer.plain"},
	{"any request", RoleServer, Failed, "H.request.post H.request.no-upgrade H.request.other-upgrade H.request.no-connection H.request.version-8 " +
		"H.request.key-short H.request.key-no-base64 H.request.foreign-origin H.request.origin-suffix H.request.http-1.0 H.request.no-host"},
	{"wrong status", RoleServer, Failed, "H.request.post H.request.no-upgrade H.request.version-8 H.request.foreign-origin H.request.key-missing"},
	{"unasked subprotocol", RoleServer, Failed, "1.1.1 H.request.plain H.request.unknown-subprotocol"},
	{"wrong accept", RoleServer, Failed, "1.1.1 12.1.1 H.request.bytewise"},
	{"any answer", RoleClient, Failed, "H.response.wrong-accept H.response.no-accept H.response.accept-case H.response.no-upgrade H.response.other-upgrade " +
		"H.response.other-connection H.response.status-200 H.response.subprotocol H.response.extension H.answer.server-bits-16 " +
		"H.answer.client-bits-16 H.answer.unknown-parameter H.answer.two"},
}

// TestEveryFaultIsNoticed runs broken targets, and demands the verdict of
// each case that must notice.
func TestEveryFaultIsNoticed(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.role.String()+" "+string(m.fault), func(t *testing.T) {
			t.Parallel()
			ids := strings.Fields(m.cases)
			target := echoTarget(t, m.role, m.fault)
			report := Run(context.Background(), target, Options{Short: true, Groups: ids, Patience: mutantPatience})
			if len(report.Results) != len(ids) {
				t.Fatalf("%d results for %d cases:\n%s", len(report.Results), len(ids), report.Summary())
			}
			for _, result := range report.Results {
				if result.Verdict != m.verdict || result.Detail == "" {
					t.Errorf("case %s is %s (%s), want %s", result.ID, result.Verdict, result.Detail, m.verdict)
				}
			}
		})
	}
}

// TestAnEchoInFragmentsIsAsGoodAsAnyOther shows that the suite does not ask
// for more than the RFC.
func TestAnEchoInFragmentsIsAsGoodAsAnyOther(t *testing.T) {
	report := Run(context.Background(), echoTarget(t, RoleServer, "split echo"), Options{Short: true, Groups: []string{"1", "5", "6.2", "7.1", "9.7"}})
	if err := report.Strict(); err != nil {
		t.Fatal(err)
	}
}

// TestFaultsShowInMemoryToo runs over an unbuffered pipe, where a target and
// a suite that wrote at the same time would block each other.
func TestFaultsShowInMemoryToo(t *testing.T) {
	groups := []string{"1", "2", "3", "4", "5", "6.1", "6.4", "7", "10", "12.1.5", "13.7.12", "H.fragment.empty-over", "H.close", "H.deflate.bomb"}
	report := Run(context.Background(), pipeTarget(), Options{Short: true, Groups: groups})
	if err := report.Strict(); err != nil {
		t.Fatal(err)
	}
	report = Run(context.Background(), pipeTarget("altered echo", "altered pong", "wrong code"), Options{Short: true, Groups: []string{"1.1.2", "2.2", "3.1"}, Patience: mutantPatience})
	if report.Count("", Failed) != 3 {
		t.Fatal(report.Summary())
	}
}

// TestRunLeavesNothingBehind runs in a bubble, which fails unless every
// goroutine in it ends, and in which waiting takes no time.
func TestRunLeavesNothingBehind(t *testing.T) {
	groups := []string{"1.1", "2", "3", "5", "6.4", "7", "H.close", "H.request", "H.deflate.tail"}
	for _, faults := range [][]fault{nil, {"no pong"}, {"late UTF-8"}, {"no reply"}, {"reads on after close"}, {"wrong accept"}} {
		synctest.Test(t, func(t *testing.T) {
			report := Run(t.Context(), pipeTarget(faults...), Options{Short: true, Groups: groups})
			if strict := report.Strict() == nil; strict != (faults == nil) {
				t.Errorf("with faults %v:\n%s", faults, report.Summary())
			}
		})
	}
}

// TestADecliningTargetIsUnimplemented runs compression cases against a server
// that never agrees to any.
func TestADecliningTargetIsUnimplemented(t *testing.T) {
	for _, role := range []Role{RoleServer, RoleClient} {
		report := Run(context.Background(), echoTarget(t, role, "declines"), Options{Short: true, Groups: []string{"12.1", "13", "H.deflate.window"}})
		if n := report.Count("", Unimplemented); n != len(report.Results) || n == 0 {
			t.Errorf("%s: %s", role, report.Summary())
		}
	}
}
