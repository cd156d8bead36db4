package validate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const natsServer = "github.com/nats-io/nats-server/v2"

// natsVersion returns the version that the chat embeds.
func natsVersion(t *testing.T) string {
	t.Helper()
	_, after, ok := strings.Cut(string(read(t, root, "go.mod")), natsServer+" v")
	version, _, _ := strings.Cut(after, "\n")
	if !ok || version == "" {
		t.Fatal("go.mod has no NATS server")
	}
	return version
}

// scaled returns the overlay with a NATS cluster.
func scaled(t *testing.T) []object {
	t.Helper()
	return render(t, filepath.Join(kubernetes, "overlays", "scaled"))
}

func natsConfig(t *testing.T, objects []object) string {
	t.Helper()
	set := one[*appsv1.StatefulSet](t, objects, "nats")
	for _, volume := range set.Spec.Template.Spec.Volumes {
		if volume.ConfigMap != nil {
			return one[*corev1.ConfigMap](t, objects, volume.ConfigMap.Name).Data["nats.conf"]
		}
	}
	t.Fatal("NATS has no configuration")
	return ""
}

func TestNATSTakesItsConfiguration(t *testing.T) {
	objects := scaled(t)
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(natsConfig(t, objects)), 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(name string) error {
		command := exec.Command("go", "run", natsServer+"@v"+natsVersion(t), "-t", "-c", file)
		command.Dir = t.TempDir() // outside of every module
		command.Env = append(os.Environ(), "GOFLAGS=")
		for _, variable := range one[*appsv1.StatefulSet](t, objects, "nats").Spec.Template.Spec.Containers[0].Env {
			if value := variable.Value; variable.Name != name {
				if variable.ValueFrom != nil {
					value = "abc" // of a secret, or of the pod
				}
				command.Env = append(command.Env, variable.Name+"="+value)
			}
		}
		output, err := command.CombinedOutput()
		t.Logf("%s", output)
		return err
	}
	if err := check(""); err != nil {
		t.Error(err)
	}
	if check("NATS_TOKEN") == nil {
		t.Error("it does without a variable that it names, so the check proves nothing")
	}
}

func TestNATSIsThatOfTheProgram(t *testing.T) {
	objects := scaled(t)
	set := one[*appsv1.StatefulSet](t, objects, "nats")
	if image := set.Spec.Template.Spec.Containers[0].Image; image != "nats:"+natsVersion(t) {
		t.Errorf("the cluster runs %s, the program embeds %s", image, natsVersion(t))
	}
	if want := strconv.Itoa(int(*set.Spec.Replicas)); variables(t, objects)["CHAT_REPLICAS"] != want {
		t.Errorf("there are %s servers, and the history is on %s", want, variables(t, objects)["CHAT_REPLICAS"])
	}
	service := one[*corev1.Service](t, objects, "nats")
	if want := "nats://nats:" + strconv.Itoa(int(service.Spec.Ports[0].Port)); variables(t, objects)["CHAT_NATS"] != want {
		t.Errorf("the chat connects to %s, and NATS is at %s", variables(t, objects)["CHAT_NATS"], want)
	}
	values := make(map[string]string)
	for _, variable := range set.Spec.Template.Spec.Containers[0].Env {
		values[variable.Name] = variable.Value
	}
	for i := range int(*set.Spec.Replicas) {
		if route := "@nats-" + strconv.Itoa(i) + "." + set.Spec.ServiceName + ":6222"; !strings.HasSuffix(values["ROUTE_"+strconv.Itoa(i)], route) {
			t.Errorf("no route to %s", route)
		}
	}
}

// setting returns a value of NATS's configuration.
func setting(t *testing.T, config, name string) string {
	t.Helper()
	_, after, ok := strings.Cut(config, name+": ")
	value, _, _ := strings.Cut(after, "\n")
	if !ok {
		t.Fatalf("no %s", name)
	}
	return value
}

func TestNATSHasTimeAndRoom(t *testing.T) {
	objects := scaled(t)
	config := natsConfig(t, objects)
	set := one[*appsv1.StatefulSet](t, objects, "nats")
	needs := time.Duration(0)
	for _, name := range []string{"lame_duck_grace_period", "lame_duck_duration"} {
		d, err := time.ParseDuration(setting(t, config, name))
		if err != nil {
			t.Fatal(err)
		}
		needs += d
	}
	if grace := time.Duration(*set.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second; grace < needs+10*time.Second {
		t.Errorf("lame duck mode takes %v of %v", needs, grace)
	}
	stored, err := resource.ParseQuantity(strings.TrimSuffix(setting(t, config, "max_file_store"), "B"))
	if err != nil {
		t.Fatal(err)
	}
	if volume := set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests.Storage(); stored.Value() > volume.Value()*95/100 {
		t.Errorf("%v of a volume of %v may be filled", stored.String(), volume)
	}
}
