package dashboards_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/internal/dashboards"
)

func TestFilesAreWhatTheProgramMakes(t *testing.T) {
	folder := filepath.Join("..", "..", "deploy", "grafana", "dashboards")
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	all := dashboards.All()
	if len(entries) != len(all) {
		t.Errorf("%d files, want %d", len(entries), len(all))
	}
	for name, dashboard := range all {
		want, err := dashboard.JSON()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not current: go generate ./internal/dashboards (%v)", name, err)
		}
	}
}

func TestEveryPanelSaysWhatToDo(t *testing.T) {
	for name, dashboard := range dashboards.All() {
		seen := make(map[string]bool)
		for _, row := range dashboard.Rows {
			for _, panel := range row.Panels {
				if seen[panel.Title] {
					t.Errorf("%s has two panels %q", name, panel.Title)
				}
				seen[panel.Title] = true
				if len(panel.Help) < 20 && panel.Kind != dashboards.Table || panel.Unit == "" || len(panel.Show) == 0 {
					t.Errorf("%s: %q lacks help, a unit or a query", name, panel.Title)
				}
				for _, query := range panel.Show {
					if !strings.Contains(query.Expr, "{$s}") && !strings.Contains(query.Expr, ",$s}") {
						t.Errorf("%s: %q ignores the variables: %s", name, panel.Title, query.Expr)
					}
					if strings.Contains(query.Expr, "vector(") {
						t.Errorf("%s: %q hides that there is no data: %s", name, panel.Title, query.Expr)
					}
				}
			}
		}
	}
}
