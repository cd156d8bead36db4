package compare

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// example is a result with everything that a report must show: a server that is
// better, one that failed, one that cannot take part, a row that was not run.
func example(t *testing.T) []Table {
	t.Helper()
	servers, err := Pick("gws, actor-poll,nbio,bytes-net")
	if err != nil {
		t.Fatal(err)
	}
	first := newTable(echo(128, 100, 1), servers)
	for round := range 3 {
		for i, cost := range []float64{10, 6.5, 0, 40} {
			first.Rows[i].Samples = append(first.Rows[i].Samples, Sample{
				Cost: cost + float64(round), Rate: 1234567, P50: time.Millisecond, P99: 2 * time.Millisecond, P999: time.Second,
			})
		}
	}
	first.Rows[2] = Row{Server: servers[2], Err: errors.New("round 2: it <fell>\nover")}
	second := newTable(broadcast(10_000, 16), servers)
	second.NotRun = "needs 10200 open files, the limit is 1024"
	idle := newTable(Workload{Name: "idle & quiet", Kind: Idle}, servers[:2])
	for i := range idle.Rows {
		idle.Rows[i].Samples = []Sample{{Cost: float64(10 - 8*i), Heap: 1}}
	}
	return []Table{first, second, idle}
}

func TestReportShowsEverything(t *testing.T) {
	var b strings.Builder
	facts := Facts{Machine: "a machine", Versions: []string{"gws v1"}, Rounds: 3, Duration: time.Second, Picture: "picture.svg"}
	if err := Report(&b, example(t), facts); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"a machine. 3 rounds of 1s", "gws v1", "![Bars of the same ratios](picture.svg)",
		`- nbio under "echo 128 B, 100 conns, 1 in flight": round 2: it <fell> over`,
		"| echo 128 B, 100 conns, 1 in flight | 1.00 | 0.68 | failed | 3.73 |",
		"| gws | 11.0 (10.0..12.0) | **1.00** (1.00..1.00) | 1,234,567 | 1.00 ms | 2.00 ms | 1.00 s | 1.00 (1.00..1.00) |",
		"| nbio | failed |", "Not run: needs 10200 open files, the limit is 1024.",
		"| server | RSS KiB a connection |", "| actor-poll | 2.00 (2.00..2.00) | **0.20** (0.20..0.20) |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestTablesHaveTheSameColumnsInEachLine(t *testing.T) {
	for _, table := range example(t) {
		var b strings.Builder
		if err := table.Write(&b); err != nil {
			t.Fatal(err)
		}
		columns := 0
		for line := range strings.SplitSeq(b.String(), "\n") {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			n := strings.Count(line, "|")
			if columns == 0 {
				columns = n
			}
			if n != columns {
				t.Errorf("%d columns instead of %d: %s", n, columns, line)
			}
		}
	}
}

func TestTheFirstServerIsTheBaseWithoutGWS(t *testing.T) {
	servers, err := Pick("nbio,core")
	if err != nil {
		t.Fatal(err)
	}
	if name := newTable(echo(128, 1, 1), servers).baseName(); name != "nbio" {
		t.Errorf("base is %q", name)
	}
	if _, err := Pick("gws,nothing"); err == nil {
		t.Error("an unknown server is accepted")
	}
}

func TestPictureIsWellFormedAndReadableInLightAndDark(t *testing.T) {
	var b strings.Builder
	if err := Picture(&b, example(t)); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	d := xml.NewDecoder(strings.NewReader(text))
	bars := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "rect" {
			continue
		}
		bars++
		for _, a := range start.Attr {
			if a.Name.Local == "width" && len(a.Value) > 5 {
				t.Errorf("bar of width %s", a.Value)
			}
		}
	}
	if bars != 3+3 { // three in the legend; actor-poll twice and bytes-net
		t.Errorf("%d bars", bars)
	}
	for _, want := range []string{"prefers-color-scheme: dark", ">3.73<", ">failed<", "(not run)", "idle &amp; quiet"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestEveryWorkloadAndServerHasItsOwnName(t *testing.T) {
	seen := make(map[string]bool)
	for _, w := range append(Workloads(), Quick()...) {
		if seen[w.Name] || w.Name == "" {
			t.Errorf("workload %q twice", w.Name)
		}
		seen[w.Name] = true
	}
	for _, s := range Servers {
		if seen[s.Name] || s.Name == "" || s.About == "" {
			t.Errorf("server %q", s.Name)
		}
		seen[s.Name] = true
	}
}
