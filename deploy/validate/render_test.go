package validate

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const (
	kubernetes = "../kubernetes"
	// fieldOwner applies objects to the API server of a test.
	fieldOwner = "tandem-validate"
)

// object is one of an overlay, as it was rendered and as its type.
type object struct {
	yaml  []byte
	typed runtime.Object
	loose unstructured.Unstructured
}

func (o object) String() string { return o.loose.GetKind() + " " + o.loose.GetName() }

// types knows every type that an overlay may contain.
var types = sync.OnceValue(func() *runtime.Scheme {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, gateway.Install, monitoring.AddToScheme} {
		if err := add(all); err != nil {
			panic(err)
		}
	}
	return all
})

// overlays returns the folders of the overlays.
func overlays(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(kubernetes, "overlays", "*", "kustomization.yaml"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no overlay: %v", err)
	}
	for i, file := range found {
		found[i] = filepath.Dir(file)
	}
	return found
}

// eachOverlay runs a test for each overlay with what is in it.
func eachOverlay(t *testing.T, test func(t *testing.T, objects []object)) {
	t.Helper()
	for _, folder := range overlays(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) { test(t, render(t, folder)) })
	}
}

// render builds a folder as "kubectl kustomize" does, and decodes what comes out.
// A field that its type does not have, or has twice, is an error.
func render(t *testing.T, folder string) []object {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, types(), types(), json.SerializerOptions{Yaml: true, Strict: true})
	var objects []object
	for _, resource := range rendered.Resources() {
		o := object{}
		if o.yaml, err = resource.AsYAML(); err != nil {
			t.Fatal(err)
		}
		if o.typed, _, err = strict.Decode(o.yaml, nil, nil); err != nil {
			t.Errorf("%v: %v", resource.CurId(), err)
			continue
		}
		// By way of JSON, whose numbers are those that clients copy and send.
		text, err := resource.MarshalJSON()
		if err == nil {
			err = o.loose.UnmarshalJSON(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	return objects
}

// all returns the objects of one type.
func all[T runtime.Object](objects []object) []T {
	var found []T
	for _, o := range objects {
		if typed, ok := o.typed.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// one returns the object of that type and name.
func one[T interface {
	runtime.Object
	GetName() string
}](t *testing.T, objects []object, name string) T {
	t.Helper()
	for _, candidate := range all[T](objects) {
		if candidate.GetName() == name {
			return candidate
		}
	}
	var none T
	t.Fatalf("no %T %q", none, name)
	return none
}

// chat returns the pods of the chat.
func chat(t *testing.T, objects []object) corev1.PodTemplateSpec {
	t.Helper()
	return one[*appsv1.Deployment](t, objects, "chat").Spec.Template
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEveryObjectHasOnlyFieldsOfItsType(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		if len(objects) < 5 {
			t.Errorf("only %d objects", len(objects))
		}
		for _, o := range objects {
			if o.typed.GetObjectKind().GroupVersionKind().Empty() {
				t.Errorf("%v has no kind", o)
			}
		}
	})
}

// The test above must be able to fail.
func TestStrangeFieldsAreFound(t *testing.T) {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, types(), types(), json.SerializerOptions{Yaml: true, Strict: true})
	for name, text := range map[string]string{
		"unknown field": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {sessionAfinity: None}\n",
		"twice":         "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: None, clusterIP: None}\n",
		"unknown kind":  "apiVersion: v1\nkind: Servize\nmetadata: {name: a}\n",
		"wrong type":    "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: http}]}\n",
	} {
		if _, _, err := strict.Decode([]byte(text), nil, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEveryOverlayStaysInItsNamespace(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		for _, o := range objects {
			if _, ok := o.typed.(*corev1.Namespace); ok {
				continue
			}
			if got := o.loose.GetNamespace(); got != "chat" {
				t.Errorf("%v is in the namespace %q", o, got)
			}
		}
	})
}

func TestAutoscaledDeploymentsSayNothingOfReplicas(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		for _, scaler := range all[*autoscalingv2.HorizontalPodAutoscaler](objects) {
			if target := one[*appsv1.Deployment](t, objects, scaler.Spec.ScaleTargetRef.Name); target.Spec.Replicas != nil {
				t.Errorf("a rollout would set %s to %d pods, whatever the autoscaler says", target.Name, *target.Spec.Replicas)
			}
		}
	})
}

func documents(objects []object) []byte {
	var parts [][]byte
	for _, o := range objects {
		parts = append(parts, o.yaml)
	}
	return bytes.Join(parts, []byte("---\n"))
}
