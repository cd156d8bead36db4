package explore

import (
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"strings"
	"testing"
)

// SameCode fails the test unless functions of one file have the same bodies as
// their twins in another, but for comments and the replacements made in the
// real ones. A twin is real code whose atomic values and locks are those of
// this package, so that each operation on them is a step. Functions are named
// as in "name" or "receiver.name".
func SameCode(t *testing.T, real, twin string, replace *strings.Replacer, pairs map[string]string) {
	t.Helper()
	reals, twins := bodies(t, real), bodies(t, twin)
	for name, other := range pairs {
		want, got := replace.Replace(reals[name]), twins[other]
		if want == "" || got != want {
			t.Errorf("%s in %s and its twin %s in %s differ: change the twin too, and see what the schedules say.\nreal:\n%s\ntwin:\n%s", name, real, other, twin, want, got)
		}
	}
}

func bodies(t *testing.T, file string) map[string]string {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, declaration := range parsed.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := f.Name.Name
		if f.Recv != nil {
			of := f.Recv.List[0].Type
			if star, ok := of.(*ast.StarExpr); ok {
				of = star.X
			}
			if of, ok := of.(*ast.Ident); ok {
				name = of.Name + "." + name
			}
		}
		var text strings.Builder
		if err := printer.Fprint(&text, set, f.Body); err != nil {
			t.Fatal(err)
		}
		// Comments leave blank lines behind.
		var lines []string
		for line := range strings.Lines(text.String()) {
			if strings.TrimSpace(line) != "" {
				lines = append(lines, line)
			}
		}
		found[name] = strings.Join(lines, "")
	}
	return found
}
