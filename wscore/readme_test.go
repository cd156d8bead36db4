package wscore

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var updateStates = flag.Bool("update-states", false, "write the state diagram into README.md")

// stateDiagram draws every move of the table that leads to another state.
func stateDiagram() string {
	id := func(s State) string { return strings.ReplaceAll(s.String(), " ", "_") }
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n")
	for s := Open; s < stateCount; s++ {
		fmt.Fprintf(&b, "    state %q as %s\n", s, id(s))
	}
	fmt.Fprintf(&b, "    [*] --> %s\n", id(Open))
	for from := Open; from < stateCount; from++ {
		for to := Open; to < stateCount; to++ {
			var signals []string
			for signal := ReceiveMessage; signal < signalCount; signal++ {
				if cell := transitions[from][signal]; to != from && cell.next == to {
					signals = append(signals, signal.String())
				}
			}
			if len(signals) > 0 {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", id(from), id(to), strings.Join(signals, ", "))
			}
		}
	}
	fmt.Fprintf(&b, "    %s --> [*]\n```\n\n", id(Closed))
	b.WriteString("| state | what is received | what may be sent |\n|---|---|---|\n")
	for s := Open; s < stateCount; s++ {
		received, sent := "ignored", "nothing"
		if s.Receiving() {
			received = "decoded"
		}
		if s.Sending() {
			sent = "messages, pings, pongs, one close frame"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s, received, sent)
	}
	b.WriteString("\n")
	return b.String()
}

func TestStateDiagramIsCurrent(t *testing.T) {
	text := readReadme(t)
	const begin, end = "do not edit -->\n", "<!-- /states -->"
	before, rest, ok := strings.Cut(text, begin)
	shown, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("README.md has no place for the states")
	}
	want := stateDiagram()
	if shown == want {
		return
	}
	if !*updateStates {
		t.Fatalf("the states in README.md are not those of state.go: run go generate ./wscore. Want:\n%s", want)
	}
	if err := os.WriteFile("README.md", []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readReadme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// parsePackage returns the files of a folder; tests says whether also those of
// its tests.
func parsePackage(t *testing.T, folder string, tests bool) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatal(folder, err)
	}
	set := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") && !tests {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// declared collects the names of a package: X, and T.X for methods and fields.
func declared(files []*ast.File, prefix string, names map[string]bool) {
	for _, file := range files {
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					receiver := d.Recv.List[0].Type
					if star, ok := receiver.(*ast.StarExpr); ok {
						receiver = star.X
					}
					if base, ok := receiver.(*ast.Ident); ok {
						name = base.Name + "." + name
					}
				}
				names[prefix+name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.ValueSpec:
						for _, name := range s.Names {
							names[prefix+name.Name] = true
						}
					case *ast.TypeSpec:
						names[prefix+s.Name.Name] = true
						if structure, ok := s.Type.(*ast.StructType); ok {
							for _, field := range structure.Fields.List {
								for _, name := range field.Names {
									names[prefix+s.Name.Name+"."+name.Name] = true
								}
							}
						}
					}
				}
			}
		}
	}
}

// Every symbol and test that the README's tables name exists, and every row has
// both.
func TestReadmeNamesWhatExists(t *testing.T) {
	symbols, tests := map[string]bool{}, map[string]bool{}
	declared(parsePackage(t, ".", false), "", symbols)
	declared(parsePackage(t, "../split", false), "split.", symbols)
	declared(parsePackage(t, ".", true), "", tests)
	quoted := regexp.MustCompile("`([^`]+)`")
	isTest := regexp.MustCompile("^(Test|Fuzz|Example)")
	_, table, ok := strings.Cut(readReadme(t), "| the seed | here | proven by |\n")
	if !ok {
		t.Fatal("README.md has no table of the seed")
	}
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 {
			t.Fatalf("a row with %d cells: %s", len(cells), line)
		}
		if strings.HasPrefix(cells[1], " **") || strings.HasPrefix(cells[1], "---") {
			continue
		}
		rows++
		for column, known := range map[int]map[string]bool{2: symbols, 3: tests} {
			names := quoted.FindAllStringSubmatch(cells[column], -1)
			if len(names) == 0 {
				t.Errorf("column %d of a row names nothing: %s", column, line)
			}
			for _, name := range names {
				if !known[name[1]] || isTest.MatchString(name[1]) != (column == 3) {
					t.Errorf("%s does not exist", name[1])
				}
			}
		}
	}
	if rows < 30 {
		t.Errorf("the table has %d rows", rows)
	}
	limits, _, _ := strings.Cut(readReadme(t), "## From the seed")
	_, limits, _ = strings.Cut(limits, "## Limits")
	for _, name := range quoted.FindAllStringSubmatch(limits, -1) {
		if !symbols[name[1]] {
			t.Errorf("%s does not exist", name[1])
		}
	}
}

// What the package imports itself cannot reach a network.
func TestImportsOpenNoSocket(t *testing.T) {
	allowed := []string{
		"bytes", "crypto/rand", "crypto/sha1", "encoding/base64", "encoding/binary", "errors", "fmt", "io", "iter", "math", "math/bits",
		"path", "slices", "strconv", "strings", "sync/atomic", "unicode/utf8", "unsafe",
		"github.com/klauspost/compress/flate", "golang.org/x/sys/cpu",
	}
	for _, file := range parsePackage(t, ".", false) {
		for _, spec := range file.Imports {
			if name, err := strconv.Unquote(spec.Path.Value); err != nil || !slices.Contains(allowed, name) {
				t.Errorf("%s is imported", spec.Path.Value)
			}
		}
	}
}
