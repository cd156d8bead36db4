package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Result is the outcome of one case.
type Result struct {
	ID      string
	Title   string
	Verdict Verdict
	Detail  string
	Elapsed time.Duration
}

// Report is the outcome of a run, results in the order of the case table.
type Report struct {
	Target  string
	Role    Role
	Results []Result
	Elapsed time.Duration
}

// groupTitles name the first component of each id, in the summary's order.
var groupTitles = []struct{ group, title string }{
	{"1", "framing"},
	{"2", "ping and pong"},
	{"3", "reserved bits"},
	{"4", "opcodes"},
	{"5", "fragmentation"},
	{"6", "UTF-8"},
	{"7", "close handling"},
	{"9", "limits"},
	{"10", "automatic fragmentation"},
	{"12", "compression, payloads"},
	{"13", "compression, parameters"},
	{"H", "hostile input"},
}

// maxListed bounds how many cases short of OK the summary spells out.
const maxListed = 24

// Count returns how many cases of the group got the verdict; an empty group
// means all.
func (r Report) Count(group string, v Verdict) int {
	n := 0
	for _, result := range r.Results {
		if result.Verdict == v && (group == "" || Case{ID: result.ID}.Group() == group) {
			n++
		}
	}
	return n
}

// Summary gives one line per group, a total, and the cases that are short of
// OK, bounded to about a screen.
func (r Report) Summary() string {
	var b strings.Builder
	columns := []Verdict{OK, Informational, NonStrict, Unimplemented, Failed}
	fmt.Fprintf(&b, "%s (%s), %d cases in %s\n", r.Target, r.Role, len(r.Results), r.Elapsed.Round(time.Millisecond))
	fmt.Fprintf(&b, "%-4s %-24s %6s", "", "", "cases")
	for _, v := range columns {
		fmt.Fprintf(&b, " %13s", v)
	}
	b.WriteByte('\n')
	row := func(group, title string) {
		total := 0
		line := ""
		for _, v := range columns {
			n := r.Count(group, v)
			total += n
			line += fmt.Sprintf(" %13d", n)
		}
		if total > 0 {
			fmt.Fprintf(&b, "%-4s %-24s %6d%s\n", group, title, total, line)
		}
	}
	for _, g := range groupTitles {
		row(g.group, g.title)
	}
	row("", "total")
	short := r.short()
	for i, result := range short {
		if i == maxListed {
			fmt.Fprintf(&b, "... and %d more\n", len(short)-maxListed)
			break
		}
		fmt.Fprintf(&b, "%-13s %-28s %s\n", result.Verdict, result.ID, result.Detail)
	}
	return b.String()
}

// short returns the results that are neither OK nor Informational, worst
// first.
func (r Report) short() []Result {
	short := slices.DeleteFunc(slices.Clone(r.Results), func(result Result) bool {
		return result.Verdict == OK || result.Verdict == Informational
	})
	slices.SortStableFunc(short, func(a, b Result) int { return int(b.Verdict) - int(a.Verdict) })
	return short
}

// StrictError lists the cases that keep a report from being strict.
type StrictError struct {
	Results []Result // empty when nothing ran at all
}

// Error names the first few cases.
func (e *StrictError) Error() string {
	if len(e.Results) == 0 {
		return "no case ran"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d cases are not strictly OK:", len(e.Results))
	for i, result := range e.Results {
		if i == maxListed {
			b.WriteString("\n\t...")
			break
		}
		fmt.Fprintf(&b, "\n\t%s %s: %s", result.ID, result.Verdict, result.Detail)
	}
	return b.String()
}

// Strict returns nil when every case that ran is OK, or Informational where
// the case can be no better.
func (r Report) Strict() error {
	if short := r.short(); len(short) > 0 || len(r.Results) == 0 {
		return &StrictError{Results: short}
	}
	return nil
}
