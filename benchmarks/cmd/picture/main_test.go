package main

import (
	"strings"
	"testing"
)

func TestPanelsAreDrawnWithTheirLegends(t *testing.T) {
	values := func(y ...string) (all [][2]any) {
		for i, v := range y {
			all = append(all, [2]any{float64(1000 + i), v})
		}
		return all
	}
	var out strings.Builder
	err := render(&out, []panel{{Title: "Connections", Series: []series{
		{Legend: "open", Values: values("1", "NaN", "3")}, {Legend: "closing", Values: values("0", "0", "0")},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"<svg", "Connections", "open"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q is missing", text)
		}
	}
	if strings.Contains(out.String(), "closing") {
		t.Error("a series that is always zero is drawn")
	}
	for name, panels := range map[string][]panel{
		"no panels":    nil,
		"only zeros":   {{Title: "x", Series: []series{{Values: values("0")}}}},
		"not a number": {{Title: "x", Series: []series{{Values: values("many")}}}},
	} {
		if render(&strings.Builder{}, panels) == nil {
			t.Errorf("%s: drawn all the same", name)
		}
	}
}
