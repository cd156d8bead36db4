package observability

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, elements ...string) string {
	t.Helper()
	data, err := os.ReadFile(repository(elements...))
	must(t, err)
	return string(data)
}

// What an alert needs to be of use at night.
func TestEveryAlertLeadsToARunbook(t *testing.T) {
	rules, runbook, tests := read(t, "deploy", "prometheus", "alerts.yaml"), read(t, "deploy", "README.md"), read(t, "deploy", "prometheus", "alerts_test.yaml")
	blocks := strings.Split(rules, "      - alert: ")[1:]
	if len(blocks) < 20 {
		t.Fatalf("%d alerts", len(blocks))
	}
	for _, block := range blocks {
		name, _, _ := strings.Cut(block, "\n")
		for what, pattern := range map[string]string{
			"severity":    `\n          severity: (critical|warning)\n`,
			"summary":     `\n          summary: '.+'\n`,
			"description": `\n          description: '.+'\n`,
			"runbook":     `\n          runbook_url: https://\S+/deploy/README\.md#` + strings.ToLower(name) + `\n`,
		} {
			if !regexp.MustCompile(pattern).MatchString(block) {
				t.Errorf("%s has no %s", name, what)
			}
		}
		if !strings.Contains(runbook, "\n#### "+name+"\n") {
			t.Errorf("deploy/README.md has no part about %s", name)
		}
		for _, kind := range []string{" fires", " does not fire"} {
			if !strings.Contains(tests, "# "+name+kind) {
				t.Errorf("no test in which %s%s", name, kind)
			}
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^#### (Tandem\w+)$`).FindAllStringSubmatch(runbook, -1) {
		if !strings.Contains(rules, "alert: "+heading[1]+"\n") {
			t.Errorf("deploy/README.md is about %s, which is no alert", heading[1])
		}
	}
}

func TestRulesNameMetricsThatExist(t *testing.T) {
	table := read(t, "metrics", "README.md") // which has a test of its own
	for _, file := range []string{"alerts.yaml", "recording.yaml", "alerts_test.yaml"} {
		for _, name := range regexp.MustCompile(`\b(?:[a-z_]+:)?tandem_\w+`).FindAllString(read(t, "deploy", "prometheus", file), -1) {
			if strings.Contains(name, ":") {
				continue // a recorded one
			}
			if !strings.Contains(table, "| `"+strings.TrimSuffix(name, "_bucket")+"` |") {
				t.Errorf("%s names %s, which does not exist", file, name)
			}
		}
	}
}

// A metric that no panel shows is one that nobody will look at.
func TestEveryMetricIsOnADashboard(t *testing.T) {
	shown := ""
	for _, name := range []string{"fleet.json", "pod.json", "broker.json"} {
		shown += read(t, "deploy", "grafana", "dashboards", name)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(tandem_\\w+)` \\|").FindAllStringSubmatch(read(t, "metrics", "README.md"), -1) {
		if !regexp.MustCompile(row[1] + `(_bucket|_sum)?\{`).MatchString(shown) {
			t.Errorf("no panel shows %s", row[1])
		}
	}
}
