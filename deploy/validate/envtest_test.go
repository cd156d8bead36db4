package validate

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// assets names the folder with kube-apiserver and etcd; deploy/README.md says how
// to make them.
const assets = "KUBEBUILDER_ASSETS"

// operators are modules whose files have the definitions of what a bare cluster
// does not know.
var operators = map[string][]string{
	"sigs.k8s.io/gateway-api@v1.6.3": {"config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"},
	"github.com/prometheus-operator/prometheus-operator@v0.94.0": {
		"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
		"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
	},
}

// definitions returns the files of operators.
func definitions(t *testing.T) (paths []string) {
	t.Helper()
	for module, files := range operators {
		command := exec.Command("go", "mod", "download", "-json", module)
		command.Dir = t.TempDir() // outside of every module
		answer, err := command.Output()
		if err != nil {
			t.Fatalf("%s: %v", module, err)
		}
		_, after, _ := strings.Cut(string(answer), `"Dir": "`)
		folder, _, ok := strings.Cut(after, `"`)
		if !ok {
			t.Fatalf("%s: %s", module, answer)
		}
		for _, file := range files {
			paths = append(paths, filepath.Join(folder, file))
		}
	}
	return paths
}

// startServer runs an API server with everything a cluster has that checks
// objects: no kubelet, no controllers.
func startServer(t *testing.T) *rest.Config {
	t.Helper()
	if os.Getenv(assets) == "" {
		t.Skipf("no API server: %s does not name a folder with kube-apiserver and etcd", assets)
	}
	environment := envtest.Environment{
		CRDInstallOptions:        envtest.CRDInstallOptions{Paths: definitions(t), ErrorIfPathMissing: true},
		ControlPlaneStartTimeout: 2 * time.Minute, ControlPlaneStopTimeout: time.Minute,
	}
	// Nobody makes service accounts here, so pods need not have theirs.
	environment.ControlPlane.GetAPIServer().Configure().Append("disable-admission-plugins", "ServiceAccount")
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	return config
}

// apply sends an object as "kubectl apply --server-side" does, strictly.
func apply(ctx context.Context, c client.Client, o *unstructured.Unstructured) error {
	return c.Patch(ctx, o, client.Apply, client.FieldOwner(fieldOwner), client.ForceOwnership, &client.PatchOptions{
		Raw: &metav1.PatchOptions{FieldValidation: metav1.FieldValidationStrict},
	})
}

func TestServerAcceptsEveryOverlay(t *testing.T) {
	config := startServer(t)
	warnings := &collector{}
	config.WarningHandler = warnings
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, folder := range overlays(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			// An overlay each in its own namespace: deleting one needs a controller.
			namespace := fmt.Sprintf("chat-%d", i)
			objects := render(t, folder)
			// The namespace comes first.
			slices.SortStableFunc(objects, func(a, b object) int { return order(a) - order(b) })
			for _, o := range objects {
				loose := o.loose.DeepCopy()
				if loose.GetKind() == "Namespace" {
					loose.SetName(namespace)
				} else {
					loose.SetNamespace(namespace)
				}
				if err := apply(ctx, c, loose); err != nil {
					t.Errorf("%v: %v", o, err)
				}
			}
			// The profile judges pods; workloads only get a warning. So a pod of each.
			for name, template := range templates(objects) {
				pod := &corev1.Pod{
					ObjectMeta: metav1.ObjectMeta{Name: "judged-" + name, Namespace: namespace, Labels: template.Labels},
					Spec:       template.Spec,
				}
				if err := c.Create(ctx, pod); err != nil {
					t.Errorf("a pod of %s: %v", name, err)
				}
			}
			forbidden := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "forbidden", Namespace: namespace},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}},
			}
			if err := c.Create(ctx, forbidden); !errors.IsForbidden(err) {
				t.Errorf("the namespace takes any pod: %v", err)
			}
		})
	}
	if text := warnings.String(); text != "" {
		t.Errorf("the server warns:\n%s", text)
	}
}

func order(o object) int {
	if o.loose.GetKind() == "Namespace" {
		return 0
	}
	return 1
}

// collector keeps a server's warnings.
type collector struct{ bytes.Buffer }

func (c *collector) HandleWarningHeader(code int, _ string, text string) {
	fmt.Fprintf(c, "%d %s\n", code, text)
}
