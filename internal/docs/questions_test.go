package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// packages are those whose names documents may use.
var packages = map[string]string{
	"wscore":    "wscore",
	"split":     "split",
	"actor":     "actor",
	"actortest": "actor/actortest",
	"metrics":   "metrics",
}

// exported collects the exported names of a package's folder: Name, and
// Type.Member for fields and methods. Members of an embedded struct of the same
// package count as its own.
func exported(t *testing.T, folder string) map[string]bool {
	t.Helper()
	names, embedded := make(map[string]bool), make(map[string][]string)
	sources, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources in %s: %v", folder, err)
	}
	files := token.NewFileSet()
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = true
				} else {
					names[typeName(d.Recv.List[0].Type)+"."+d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.ValueSpec:
						for _, name := range s.Names {
							names[name.Name] = true
						}
					case *ast.TypeSpec:
						names[s.Name.Name] = true
						for _, field := range members(s.Type) {
							if len(field.Names) == 0 {
								embedded[s.Name.Name] = append(embedded[s.Name.Name], typeName(field.Type))
							}
							for _, name := range field.Names {
								names[s.Name.Name+"."+name.Name] = true
							}
						}
					}
				}
			}
		}
	}
	for outer, inner := range embedded {
		for name := range names {
			for _, from := range inner {
				if member, ok := strings.CutPrefix(name, from+"."); ok {
					names[outer+"."+member] = true
				}
			}
		}
	}
	return names
}

func members(t ast.Expr) []*ast.Field {
	switch t := t.(type) {
	case *ast.StructType:
		return t.Fields.List
	case *ast.InterfaceType:
		return t.Methods.List
	}
	return nil
}

func typeName(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.IndexExpr:
		return typeName(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// What docs/questions.md names in code exists, and is named with its package.
func TestQuestionsNameWhatExists(t *testing.T) {
	known := make(map[string]map[string]bool)
	for name, folder := range packages {
		known[name] = exported(t, folder)
	}
	text := read(t, "docs/questions.md")
	found := 0
	for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		name, rest, _ := strings.Cut(span[1], ".")
		names, ok := known[name]
		switch {
		case !ok:
			t.Errorf("`%s` names no package of ours", span[1])
		case !ast.IsExported(rest) || !names[rest]:
			t.Errorf("`%s` does not exist", span[1])
		}
		found++
	}
	if found < 20 {
		t.Errorf("only %d names found", found)
	}
}

// Every answer leads somewhere.
func TestQuestionsHaveLinks(t *testing.T) {
	answers := strings.Split(read(t, "docs/questions.md"), "\n**")[1:]
	if len(answers) < 15 {
		t.Fatalf("only %d questions found", len(answers))
	}
	for _, answer := range answers {
		question, _, _ := strings.Cut(answer, "**")
		if !strings.Contains(answer, "](") && question != "What about HTTP/2?" {
			t.Errorf("the answer to %q has no link", question)
		}
	}
}

// Links into a document lead to a heading of it.
func TestDocumentationAnchorsExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^):]*\.md)?#([^)]+)\)`)
	heading := regexp.MustCompile(`(?m)^#+ +(.+)$`)
	dropped := regexp.MustCompile("[^a-z0-9 _-]+")
	checked := 0
	for _, document := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/questions.md", "wscore/README.md", "metrics/README.md", "benchmarks/README.md"} {
		for _, found := range link.FindAllStringSubmatch(read(t, document), -1) {
			target := document
			if found[1] != "" {
				target = filepath.Join(filepath.Dir(document), found[1])
			}
			exists := false
			for _, h := range heading.FindAllStringSubmatch(read(t, target), -1) {
				anchor := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")
				exists = exists || anchor == found[2]
			}
			if !exists {
				t.Errorf("%s links to #%s, which %s does not have", document, found[2], target)
			}
			checked++
		}
	}
	if checked < 5 {
		t.Errorf("only %d links found", checked)
	}
}
