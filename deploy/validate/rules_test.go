package validate

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// update makes the PrometheusRule anew: go test -run TestRules -update.
var update = flag.Bool("update", false, "write the PrometheusRule that belongs to the rules")

// ruleFiles are Prometheus's own, which promtool tests.
var ruleFiles = []string{"recording.yaml", "alerts.yaml"}

// prometheusRule wraps the rules into an object, their text unchanged.
func prometheusRule(t *testing.T) []byte {
	t.Helper()
	var text strings.Builder
	text.WriteString("# Made from deploy/prometheus by \"go test -run TestRules -update\" in deploy/validate.\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: tandem\nspec:\n  groups:\n")
	for _, file := range ruleFiles {
		_, groups, ok := strings.Cut(string(read(t, "..", "prometheus", file)), "\ngroups:\n")
		if !ok {
			t.Fatalf("%s has no groups", file)
		}
		for line := range strings.Lines(groups) {
			if strings.TrimSpace(line) != "" {
				text.WriteString("  ")
			}
			text.WriteString(line)
		}
	}
	return []byte(text.String())
}

func TestRulesInTheClusterAreTheTestedOnes(t *testing.T) {
	path := filepath.Join(kubernetes, "components", "monitoring", "prometheusrule.yaml")
	want := prometheusRule(t)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, path), want) {
		t.Errorf("%s is not what deploy/prometheus says; -update makes it anew", path)
	}
	// As structures too, so that the wrapping itself is tested.
	var rule monitoring.PrometheusRule
	if err := yaml.UnmarshalStrict(want, &rule); err != nil {
		t.Fatal(err)
	}
	var groups []monitoring.RuleGroup
	for _, file := range ruleFiles {
		var spec monitoring.PrometheusRuleSpec
		if err := yaml.UnmarshalStrict(read(t, "..", "prometheus", file), &spec); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, spec.Groups...)
	}
	got, _ := yaml.Marshal(rule.Spec.Groups) // both were read from YAML
	if expected, _ := yaml.Marshal(groups); len(groups) < len(ruleFiles) || !bytes.Equal(got, expected) {
		t.Errorf("the object has\n%s\ninstead of\n%s", got, expected)
	}
}

func TestDashboardsAreThoseOfTheFolder(t *testing.T) {
	files, err := filepath.Glob("../grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	eachOverlay(t, func(t *testing.T, objects []object) {
		dashboards := one[*corev1.ConfigMap](t, objects, "tandem-dashboards")
		if len(dashboards.Data) != len(files) {
			t.Errorf("%d dashboards of %d", len(dashboards.Data), len(files))
		}
		for _, file := range files {
			if dashboards.Data[filepath.Base(file)] != string(read(t, file)) {
				t.Errorf("%s differs", file)
			}
		}
	})
}
