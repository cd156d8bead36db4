package validate

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
)

// A configuration that is taken may still be one whose servers refuse each
// other: three of them are started from it, with other addresses alone, and
// have to find each other and a leader of what they store.
func TestNATSServersOfTheConfigurationFormACluster(t *testing.T) {
	objects := scaled(t)
	set := one[*appsv1.StatefulSet](t, objects, "nats")
	folder := t.TempDir()
	install := exec.Command("go", "install", natsServer+"@v"+natsVersion(t))
	install.Dir = folder // outside of every module
	install.Env = append(os.Environ(), "GOFLAGS=", "GOBIN="+folder)
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	const password = "c0ffee"
	replicas := int(*set.Spec.Replicas)
	routes := freeAddresses(t, replicas)
	monitors := freeAddresses(t, replicas)
	clients := freeAddresses(t, replicas)
	places := []string{"$(ROUTES_PASSWORD)", password}
	for i, route := range routes {
		places = append(places, fmt.Sprintf("nats-%d.%s:6222", i, set.Spec.ServiceName), route)
	}
	place := strings.NewReplacer(places...)
	for i := range replicas {
		config := strings.NewReplacer(
			"0.0.0.0:4222", clients[i], "0.0.0.0:8222", monitors[i], "0.0.0.0:6222", routes[i],
			"/run/nats/nats.pid", filepath.Join(folder, fmt.Sprint(i, ".pid")), "store_dir: /data", "store_dir: "+filepath.Join(folder, fmt.Sprint("data", i)),
		).Replace(natsConfig(t, objects))
		file := filepath.Join(folder, fmt.Sprint(i, ".conf"))
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		server := exec.Command(filepath.Join(folder, "nats-server"), "-c", file)
		server.Env = []string{fmt.Sprint("SERVER_NAME=nats-", i), "NATS_TOKEN=abc", "ROUTES_PASSWORD=" + password}
		for _, variable := range set.Spec.Template.Spec.Containers[0].Env {
			if variable.ValueFrom == nil {
				server.Env = append(server.Env, variable.Name+"="+place.Replace(variable.Value))
			}
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = server.Process.Kill(), server.Wait() })
	}
	for i, monitor := range monitors {
		within(t, fmt.Sprintf("server %d to have routes and a leader", i), func() bool {
			var found struct {
				Routes int `json:"num_routes"`
			}
			return get("http://"+monitor+"/routez", &found) && found.Routes >= replicas-1 && get("http://"+monitor+"/healthz", nil)
		})
	}
}

// freeAddresses returns addresses of loopback that nobody listens at.
func freeAddresses(t *testing.T, n int) (list []string) {
	t.Helper()
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		list = append(list, listener.Addr().String())
	}
	return list
}

// get reports whether the address answers with 200, and decodes the answer.
func get(address string, into any) bool {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(address)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK && (into == nil || json.NewDecoder(response.Body).Decode(into) == nil)
}

// within waits for a condition of other processes, which tell nobody when it
// comes to hold: it has to be asked for.
func within(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !condition(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
