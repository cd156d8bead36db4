package metrics_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestReadmeListsExactlyTheMetricsThatExist(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, registry := newCollector(t)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	exists := make(map[string]bool)
	for _, family := range families {
		name, kind := family.GetName(), strings.ToLower(family.GetType().String())
		exists[name] = true
		row := regexp.MustCompile("(?m)^\\| `" + name + "` \\| " + kind + "[,|\\s]")
		if !row.Match(text) {
			t.Errorf("README.md has no row for the %s %s", kind, name)
		}
	}
	for _, name := range regexp.MustCompile(`\btandem_[a-z_]+`).FindAllString(string(text), -1) {
		if !exists[strings.TrimSuffix(name, "_bucket")] {
			t.Errorf("README.md names %s, which does not exist", name)
		}
	}
}
