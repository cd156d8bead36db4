package validate

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kubeScore is run, not imported: it needs older types of Kubernetes than ours.
const kubeScore = "github.com/zegl/kube-score/cmd/kube-score@v1.20.0"

// score returns what kube-score finds, one line each.
func score(t *testing.T, manifests []byte) []string {
	t.Helper()
	// A CPU limit is not wanted: base/deployment.yaml says why. The flag is
	// narrower than the annotation, which would also accept a pod without memory
	// limit.
	command := exec.Command("go", "run", kubeScore, "score", "--output-format", "json", "--ignore-container-cpu-limit", "--kubernetes-version", "v1.34",
		"--enable-optional-test", "container-seccomp-profile", "--enable-optional-test", "container-ports-check", "-")
	command.Dir = t.TempDir() // outside of every module
	command.Stdin = bytes.NewReader(manifests)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	runErr := command.Run() // fails also for what it found
	var objects []struct {
		Name   string `json:"object_name"`
		Checks []struct {
			Check struct {
				ID string `json:"id"`
			} `json:"check"`
			Grade    int  `json:"grade"`
			Skipped  bool `json:"skipped"`
			Comments []struct {
				Path, Summary string
			} `json:"comments"`
		} `json:"checks"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &objects); err != nil || len(objects) == 0 {
		t.Fatalf("kube-score says nothing of use: %v, %v\n%s", runErr, err, stderr.String())
	}
	var found []string
	for _, object := range objects {
		for _, check := range object.Checks {
			// 10 is "all well", 7 "almost".
			if check.Skipped || check.Grade >= 10 {
				continue
			}
			line := object.Name + ": " + check.Check.ID
			for _, comment := range check.Comments {
				line += "; " + comment.Path + " " + comment.Summary
			}
			found = append(found, line)
		}
	}
	return found
}

func TestKubeScoreFindsNothing(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		for _, line := range score(t, documents(objects)) {
			t.Error(line)
		}
	})
}

// The test above must be able to fail.
func TestKubeScoreFindsWhatIsWrong(t *testing.T) {
	bare := "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: \"a:1\"}]}\n"
	if found := score(t, []byte(bare)); len(found) < 5 {
		t.Errorf("it finds only %q in a pod without anything", found)
	}
}

// What kube-score is told to ignore stands below a comment that says why.
func TestIgnoredChecksAreExplained(t *testing.T) {
	err := filepath.WalkDir(kubernetes, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		before := ""
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "kube-score/ignore") && !strings.HasPrefix(before, "#") {
				t.Errorf("%s: %q without a comment above it", path, line)
			}
			before = line
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
