package observability

import (
	"bytes"
	"io"
	"net/http"
	"sort"
	"testing"
	"time"
)

// provokes says which condition each panel shows. A panel that is not in it
// fails the test.
var provokes = map[string]string{
	"Connections":                   "many connect",
	"Connections by pod":            "many connect",
	"Share of the limit":            "many connect",
	"Opened and closed":             "many connect",
	"Closed by cause":               "many leave",
	"Closed by code":                "many leave",
	"Abnormal ends":                 "vanishing",
	"Lifetime":                      "many leave",
	"Refused handshakes":            "no handshake",
	"Handshake duration":            "slow handshakes",
	"Accepts that failed":           "failing accepts",
	"Failed dials":                  "failing dials",
	"Ping round trip":               "many connect",
	"Ping round trip, quantiles":    "slow pongs",
	"Mailbox wait":                  "slow reader",
	"Session handling":              "slow sessions",
	"Frames":                        "bursts",
	"Payload":                       "large messages",
	"Message size":                  "large messages",
	"Compressed to":                 "compression",
	"Frames per write":              "bursts",
	"Published to topics":           "publishing",
	"Fan-out":                       "publishing",
	"Topic subscribers":             "publishing",
	"Slow consumers":                "slow consumer",
	"Heartbeat failures":            "silence",
	"Broken rules and limits":       "violation",
	"Panics":                        "panic",
	"Rate limits":                   "rate limit",
	"Recoveries":                    "recoveries",
	"Messages that nobody got":      "misaddressed",
	"Draining servers":              "drain",
	"Left at each stage of a drain": "drain",
	"Crowded mailboxes":             "full mailboxes",
	"Messages waiting":              "full mailboxes",
	"Bytes waiting":                 "full mailboxes",
	"Dropped frames":                "full mailboxes",
	"Late sessions":                 "slow sessions",
	"Buffers in use":                "kept buffers",
	"Buffers by class":              "kept buffers",
	"Build":                         "a second pod",
	"CPU":                           "a busy processor",
	"Memory":                        "memory",
	"Goroutines":                    "goroutines",
	"Open descriptors":              "many connect",
	"Opened by readiness":           "many connect",
	"Poll loops":                    "another poller",
	"Poll wakes":                    "talk",
	"Reads per wake":                "talk",
	"Messages between nodes":        "nodes talk",
	"Payload between nodes":         "nodes talk",
	"Broker lag":                    "slow broker",
	"Failures":                      "broker refuses",
	"Gaps":                          "broker loses",
	"Disconnects":                   "broker loses",
}

// notInTheChat are the panels that need something that the chat does not do.
var notInTheChat = map[string]bool{
	"Compressed to": true, // it does not ask for compression
	"Broker lag":    true, // its one node has no broker
}

func TestMetricsAreAsPrometheusWantsThem(t *testing.T) {
	need(t, "promtool")
	tr := newTrouble(t)
	for _, provoke := range conditions {
		provoke(tr)()
	}
	response, err := http.Get("http://" + tr.metrics)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	promtool(t, bytes.NewReader(text), "check", "metrics")
}

func TestRulesAndTheirTests(t *testing.T) {
	folder := func(name string) string { return repository("deploy", "prometheus", name) }
	promtool(t, nil, "check", "rules", folder("recording.yaml"), folder("alerts.yaml"))
	promtool(t, nil, "test", "rules", folder("alerts_test.yaml"))
}

// Everything that is deployed meets a real Prometheus, which scrapes the chat
// under load and a service in trouble.
func TestPanelsShowWhatHappens(t *testing.T) {
	need(t, "prometheus")
	panels := readDashboards(t)
	programs := t.TempDir()
	socket, chat := startChat(t, programs)
	startLoad(t, programs, socket)
	tr := newTrouble(t)
	p := startPrometheus(t, target{"chat", "chat-1", chat}, target{"trouble", "trouble-1", tr.metrics}, target{"trouble", "trouble-2", tr.later})

	response, err := http.Get("http://" + chat + "/metrics")
	must(t, err)
	promtool(t, response.Body, "check", "metrics")
	_ = response.Body.Close()

	t.Run("the chat under load fills every panel", func(t *testing.T) { chatFills(t, p, panels) })
	tr.hum()
	t.Run("what goes wrong shows", func(t *testing.T) { troubleShows(t, p, tr, panels) })
	t.Run("rules are evaluated without an error", func(t *testing.T) { rulesWork(t, p) })
	savePicture(t, p)
}

func chatFills(t *testing.T, p *promServer, panels []shown) {
	for _, panel := range panels {
		if notInTheChat[panel.title] {
			continue
		}
		if !p.within(patience, func() bool { _, ok := p.sum(fill(panel.exprs, "chat")); return ok }) {
			t.Errorf("%s, %s: no data", panel.dashboard, panel.title)
		}
		for _, expr := range fill(panel.exprs, "chat") {
			if len(p.query(expr)) == 0 {
				t.Errorf("%s, %s: nothing for %s", panel.dashboard, panel.title, expr)
			}
		}
	}
}

// A condition is provoked up to so many times: what was before may still be
// fading from the rates.
const attempts = 4

// shownWithin is how long a condition has to show.
const shownWithin = 6 * time.Second

// more is how much a panel has to rise.
const more = 1.1

func troubleShows(t *testing.T, p *promServer, tr *trouble, panels []shown) {
	open := make(map[string][]shown) // panels by condition
	for _, panel := range panels {
		condition, known := provokes[panel.title]
		if !known || conditions[condition] == nil {
			t.Errorf("nothing provokes %s, %s", panel.dashboard, panel.title)
			continue
		}
		open[condition] = append(open[condition], panel)
	}
	p.until("the server in trouble was scraped twice", func() bool {
		_, ok := p.sum([]string{`rate(tandem_frames_total{job="trouble"}[` + rateWindow + `])`})
		return ok
	})
	for _, condition := range names(open) {
		left := open[condition]
		for range attempts {
			if left = provoke(p, tr, condition, left); len(left) == 0 {
				break
			}
		}
		for _, panel := range left {
			t.Errorf("%s, %s: %s does not show", panel.dashboard, panel.title, condition)
		}
	}
}

// provoke provokes a condition and returns the panels that have not shown it.
func provoke(p *promServer, tr *trouble, condition string, panels []shown) (left []shown) {
	before := make([]float64, len(panels))
	for i, panel := range panels {
		before[i], _ = p.sum(fill(panel.exprs, "trouble")) // 0 if there is nothing
	}
	stop := conditions[condition](tr)
	defer stop()
	rose := make([]bool, len(panels))
	p.within(shownWithin, func() bool {
		all := true
		for i, panel := range panels {
			if !rose[i] {
				now, ok := p.sum(fill(panel.exprs, "trouble"))
				rose[i] = ok && now > before[i]*more
			}
			all = all && rose[i]
		}
		return all
	})
	for i, panel := range panels {
		if !rose[i] {
			left = append(left, panel)
		}
	}
	return left
}

func names[T any](of map[string]T) (sorted []string) {
	for name := range of {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	return sorted
}

func rulesWork(t *testing.T, p *promServer) {
	var result struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	healthy := func() bool {
		p.ask("rules", nil, &result)
		for _, group := range result.Groups {
			for _, rule := range group.Rules {
				if rule.Health != "ok" {
					return false
				}
			}
		}
		return len(result.Groups) == 2
	}
	if !p.within(patience, healthy) {
		t.Errorf("not all rules are well: %+v", result)
	}
}
