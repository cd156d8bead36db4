package observability

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shown is a panel as Grafana would read it.
type shown struct {
	dashboard, title string
	exprs, legends   []string // of each query
}

// readDashboards reads the panels from the files that are deployed, not from
// the program that made them.
func readDashboards(t *testing.T) (panels []shown) {
	t.Helper()
	files, err := filepath.Glob(repository("deploy", "grafana", "dashboards", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var dashboard struct {
			Title      string
			Templating struct {
				List []struct{ Name, Definition string }
			}
			Panels []struct {
				Type, Title string
				Targets     []struct{ Expr, LegendFormat string }
			}
		}
		if err := json.Unmarshal(data, &dashboard); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, panel := range dashboard.Panels {
			if panel.Type == "row" {
				continue
			}
			p := shown{dashboard: dashboard.Title, title: panel.Title}
			for _, one := range panel.Targets {
				p.exprs, p.legends = append(p.exprs, one.Expr), append(p.legends, one.LegendFormat)
			}
			panels = append(panels, p)
		}
	}
	return panels
}

// fill fills in the variables of a dashboard.
func fill(exprs []string, job string) (filled []string) {
	replacer := strings.NewReplacer("$namespace", "test", "$job", job, "$pod", ".*", "$__rate_interval", rateWindow)
	for _, expr := range exprs {
		filled = append(filled, replacer.Replace(expr))
	}
	return filled
}
