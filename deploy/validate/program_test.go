package validate

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	root     = "../.."
	patience = time.Minute
	prefix   = "CHAT_"
)

var built struct {
	sync.Once
	folder, program string
	output          []byte
	err             error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.folder != "" {
		_ = os.RemoveAll(built.folder) // a temporary one
	}
	os.Exit(code)
}

// program builds the chat and returns its path.
func program(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		if built.folder, built.err = os.MkdirTemp("", "chat"); built.err != nil {
			return
		}
		built.program = filepath.Join(built.folder, "chat")
		build := exec.Command("go", append(buildArguments, "-o", built.program, "./examples/chat")...)
		build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
		built.output, built.err = build.CombinedOutput()
	})
	if built.err != nil {
		t.Fatalf("%v\n%s", built.err, built.output)
	}
	return built.program
}

// variables returns what the chat's container is given, by name. The values of
// secrets are empty.
func variables(t *testing.T, objects []object) map[string]string {
	t.Helper()
	container := chat(t, objects).Spec.Containers[0]
	values := map[string]string{}
	for _, source := range container.EnvFrom {
		if source.ConfigMapRef == nil {
			t.Fatalf("variables that no test can know: %v", source)
		}
		for name, value := range one[*corev1.ConfigMap](t, objects, source.ConfigMapRef.Name).Data {
			values[name] = value
		}
	}
	for _, variable := range container.Env {
		values[variable.Name] = variable.Value
	}
	return values
}

// flags returns the names of the program's flags.
func flags(t *testing.T) map[string]bool {
	t.Helper()
	help, err := exec.Command(program(t), "-h").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, help)
	}
	names := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
		names[match[1]] = true
	}
	return names
}

func variableOf(flag string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func TestVariablesAreFlagsOfTheProgram(t *testing.T) {
	known := map[string]bool{"GOMEMLIMIT": true}
	for name := range flags(t) {
		known[variableOf(name)] = true
	}
	if len(known) < 5 {
		t.Fatalf("the program has only %v", known)
	}
	eachOverlay(t, func(t *testing.T, objects []object) {
		for name := range variables(t, objects) {
			if !known[name] {
				t.Errorf("%s is no variable of the program: %v", name, known)
			}
		}
	})
}

// elsewhere are variables that name what a test does not have.
var elsewhere = []string{"CHAT_NATS", "CHAT_NATS_TOKEN", "CHAT_REPLICAS", "CHAT_TOKEN_KEY", "CHAT_ORIGINS"}

// start runs the program with an overlay's variables, on ports of its own.
func start(t *testing.T, values map[string]string) (process *os.Process, public, admin *url.URL) {
	t.Helper()
	command := exec.Command(program(t))
	command.Dir = t.TempDir() // where it may write
	for name, value := range values {
		if !slices.Contains(elsewhere, name) {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	command.Env = append(command.Env, "CHAT_ADDR=127.0.0.1:0", "CHAT_ADMIN=127.0.0.1:0")
	if values["CHAT_DATA"] != "" {
		command.Env = append(command.Env, "CHAT_DATA="+command.Dir)
	}
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	opened := make(chan [2]string, 1)
	ended := make(chan struct{})
	var log strings.Builder
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			log.Write(append(lines.Bytes(), '\n'))
			var entry struct{ URL, Admin string }
			if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.URL != "" && entry.Admin != "" {
				opened <- [2]string{entry.URL, entry.Admin}
			}
		}
		_ = command.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may be gone
		<-ended
	})
	select {
	case urls := <-opened:
		public, publicErr := url.Parse(urls[0])
		admin, adminErr := url.Parse(urls[1])
		if publicErr != nil || adminErr != nil {
			t.Fatal(publicErr, adminErr)
		}
		return command.Process, public, admin
	case <-ended:
		t.Fatalf("the program does not start:\n%s", log.String())
	case <-time.After(patience):
		t.Fatal("the program does not open")
	}
	return nil, nil, nil
}

func status(t *testing.T, base *url.URL, path string) int {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(base.JoinPath(path).String())
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // nothing is read of it
	return response.StatusCode
}

func TestProbesAndRoutesAnswerAsTheManifestsBelieve(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		container := chat(t, objects).Spec.Containers[0]
		values := variables(t, objects)
		_, public, admin := start(t, values)
		ports := map[string]*url.URL{"http": public, "admin": admin}
		probe := func(p *corev1.Probe) int {
			base := ports[p.HTTPGet.Port.StrVal]
			if base == nil || p.HTTPGet.Path == "" {
				t.Fatalf("a probe asks %v", p.HTTPGet)
			}
			return status(t, base, p.HTTPGet.Path)
		}
		for name, p := range map[string]*corev1.Probe{"startup": container.StartupProbe, "readiness": container.ReadinessProbe, "liveness": container.LivenessProbe} {
			if got := probe(p); got != http.StatusOK {
				t.Errorf("the %s probe gets %d", name, got)
			}
		}
		for _, path := range metricsPaths(objects) {
			if got := status(t, admin, path); got != http.StatusOK {
				t.Errorf("%s: %d", path, got)
			}
		}
		// That no WebSocket is asked for shows that there is one: 426.
		if got := status(t, public, "/ws"); got != http.StatusUpgradeRequired && got != http.StatusBadRequest {
			t.Errorf("/ws: %d", got)
		}
		if got := status(t, public, "/"); got != http.StatusOK {
			t.Errorf("/: %d", got)
		}

		// Again, with a delay in which there is time to look.
		values["CHAT_DRAIN_DELAY"], values["CHAT_DRAIN_TIMEOUT"] = "30m", "1h"
		process, public, admin := start(t, values)
		ports = map[string]*url.URL{"http": public, "admin": admin}
		if err := process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); probe(container.ReadinessProbe) != http.StatusServiceUnavailable; {
			if time.Now().After(deadline) {
				t.Fatal("SIGTERM does not make it unready")
			}
		}
		if got := probe(container.LivenessProbe); got != http.StatusOK {
			t.Errorf("a shutdown fails the liveness probe: %d", got)
		}
	})
}
