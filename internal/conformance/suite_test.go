package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// The published list holds 517 cases; these are the sizes of its subgroups.
var listedCounts = map[string]int{
	"1.1": 8, "1.2": 8,
	"2.1": 1, "2.2": 1, "2.3": 1, "2.4": 1, "2.5": 1, "2.6": 1, "2.7": 1, "2.8": 1, "2.9": 1, "2.10": 1, "2.11": 1,
	"3.1": 1, "3.2": 1, "3.3": 1, "3.4": 1, "3.5": 1, "3.6": 1, "3.7": 1,
	"4.1": 5, "4.2": 5,
	"5.1": 1, "5.2": 1, "5.3": 1, "5.4": 1, "5.5": 1, "5.6": 1, "5.7": 1, "5.8": 1, "5.9": 1, "5.10": 1,
	"5.11": 1, "5.12": 1, "5.13": 1, "5.14": 1, "5.15": 1, "5.16": 1, "5.17": 1, "5.18": 1, "5.19": 1, "5.20": 1,
	"6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4, "6.5": 5, "6.6": 11, "6.7": 4, "6.8": 2, "6.9": 4, "6.10": 3, "6.11": 5, "6.12": 8,
	"6.13": 5, "6.14": 10, "6.15": 1, "6.16": 3, "6.17": 5, "6.18": 5, "6.19": 5, "6.20": 7, "6.21": 8, "6.22": 34, "6.23": 7,
	"7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2,
	"9.1": 6, "9.2": 6, "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6, "9.8": 6,
	"10.1": 1,
	"12.1": 18, "12.2": 18, "12.3": 18, "12.4": 18, "12.5": 18,
	"13.1": 18, "13.2": 18, "13.3": 18, "13.4": 18, "13.5": 18, "13.6": 18, "13.7": 18,
}

func subgroup(id string) string {
	parts := strings.SplitN(id, ".", 3)
	return strings.Join(parts[:2], ".")
}

func TestTheListIsComplete(t *testing.T) {
	const want = 517
	counted := map[string]int{}
	seen := map[string]bool{}
	for _, c := range ListedCases() {
		if seen[c.ID] {
			t.Errorf("case %s is there twice", c.ID)
		}
		seen[c.ID] = true
		counted[subgroup(c.ID)]++
		if c.Only != 0 {
			t.Errorf("listed case %s is for one role only", c.ID)
		}
		if (c.Group() == "12" || c.Group() == "13") != c.Deflate {
			t.Errorf("case %s: Deflate is %t", c.ID, c.Deflate)
		}
	}
	if len(seen) != want {
		t.Errorf("%d cases, want %d", len(seen), want)
	}
	for group, n := range listedCounts {
		if counted[group] != n {
			t.Errorf("subgroup %s has %d cases, want %d", group, counted[group], n)
		}
	}
	if len(counted) != len(listedCounts) {
		t.Errorf("%d subgroups, want %d", len(counted), len(listedCounts))
	}
}

func TestHostileIDsAreUniqueAndTitled(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range append(ListedCases(), HostileCases()...) {
		if seen[c.ID] || c.Title == "" || c.Run == nil {
			t.Errorf("case %q: repeated, untitled or empty", c.ID)
		}
		seen[c.ID] = true
	}
	for _, c := range HostileCases() {
		if c.Group() != "H" {
			t.Errorf("hostile case %q is not in group H", c.ID)
		}
	}
}

// informational are the listed cases that RFC 6455 leaves open.
var informational = map[string]bool{"7.1.6": true, "7.13.1": true, "7.13.2": true}

// TestASoundTargetIsStrictInBothRoles shows that every case can be satisfied,
// all by one endpoint.
func TestASoundTargetIsStrictInBothRoles(t *testing.T) {
	for _, role := range []Role{RoleServer, RoleClient} {
		t.Run(role.String(), func(t *testing.T) {
			report := Run(context.Background(), echoTarget(t, role), Options{Short: true})
			t.Log("\n" + report.Summary())
			if err := report.Strict(); err != nil {
				t.Fatal(err)
			}
			if len(report.Results) != len(Cases(role)) {
				t.Fatalf("%d results for %d cases", len(report.Results), len(Cases(role)))
			}
			for _, result := range report.Results {
				if (result.Verdict == Informational) != informational[result.ID] {
					t.Errorf("case %s is %s", result.ID, result.Verdict)
				}
			}
		})
	}
}

func TestOptionsSelectByLeadingParts(t *testing.T) {
	for _, c := range []struct {
		groups []string
		id     string
		want   bool
	}{
		{nil, "12.1.1", true},
		{[]string{"1"}, "1.2.3", true},
		{[]string{"1"}, "12.1.1", false},
		{[]string{"12.1"}, "12.1.1", true},
		{[]string{"12.1"}, "12.10.1", false},
		{[]string{"7.1.6"}, "7.1.6", true},
		{[]string{"3", "H.close"}, "H.close.code.0", true},
	} {
		if got := (Options{Groups: c.groups}).selected(Case{ID: c.id}); got != c.want {
			t.Errorf("%v selects %s: %t", c.groups, c.id, got)
		}
	}
}

func TestReportIsStrictOnlyIfNothingFallsShort(t *testing.T) {
	result := func(v Verdict) Result { return Result{ID: "1.1.1", Verdict: v, Detail: "why"} }
	for _, c := range []struct {
		results []Result
		want    bool
	}{
		{nil, false},
		{[]Result{result(OK)}, true},
		{[]Result{result(OK), result(Informational)}, true},
		{[]Result{result(OK), result(NonStrict)}, false},
		{[]Result{result(OK), result(Unimplemented)}, false},
		{[]Result{result(OK), result(Failed)}, false},
	} {
		report := Report{Results: c.results}
		err := report.Strict()
		var strict *StrictError
		if (err == nil) != c.want || err != nil && !errors.As(err, &strict) {
			t.Errorf("%v: %v", c.results, err)
		}
	}
	report := Report{Target: "x", Role: RoleServer, Results: []Result{result(OK), result(Failed)}}
	if summary := report.Summary(); !strings.Contains(summary, "failed        1.1.1") || !strings.Contains(summary, "framing") {
		t.Errorf("summary:\n%s", summary)
	}
}

func TestACaseThatCannotConnectFails(t *testing.T) {
	report := Run(context.Background(), ServerAt("nobody", "127.0.0.1:1"), Options{Groups: []string{"1.1.1"}})
	if report.Count("1", Failed) != 1 {
		t.Fatal(report.Summary())
	}
}

func TestACanceledRunFailsAndEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	report := Run(ctx, pipeTarget(), Options{Groups: []string{"1", "2", "7"}})
	if report.Count("", Failed) != len(report.Results) {
		t.Fatal(report.Summary())
	}
}
