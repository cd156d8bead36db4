package validate

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// httpGrace is what the program gives HTTP requests after the drain, once for
// each of its two ports.
const httpGrace = 2 * 2 * time.Second

func duration(t *testing.T, values map[string]string, name string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(values[name])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}

func TestGraceOutlastsTheDrain(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		spec := chat(t, objects).Spec
		values := variables(t, objects)
		var sleep time.Duration
		if hooks := spec.Containers[0].Lifecycle; hooks != nil {
			sleep = time.Duration(hooks.PreStop.Sleep.Seconds) * time.Second
		}
		needs := sleep + duration(t, values, "CHAT_DRAIN_TIMEOUT") + httpGrace
		grace := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second
		if spare := grace - needs; spare < 5*time.Second {
			t.Errorf("a pod may need %v to end and has %v", needs, grace)
		}
	})
}

// Who routes to the pods must have turned to others when closes begin: by the
// endpoints, which the sleep waits for, or by the probe.
func TestClosesBeginWhenNobodyIsSentHereAnyMore(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		container := chat(t, objects).Spec.Containers[0]
		delay := duration(t, variables(t, objects), "CHAT_DRAIN_DELAY")
		if one[*appsv1.Deployment](t, objects, "chat").Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
			if delay != 0 || container.Lifecycle != nil {
				t.Error("it waits for balancers to turn to others, and there are none")
			}
			return
		}
		if container.Lifecycle.PreStop.Sleep.Seconds < 3 {
			t.Error("SIGTERM comes before proxies know of it")
		}
		probe := container.ReadinessProbe
		notices := time.Duration(probe.PeriodSeconds*probe.FailureThreshold+probe.TimeoutSeconds) * time.Second
		if delay < notices {
			t.Errorf("closes begin %v after readiness fails, which shows after %v", delay, notices)
		}
	})
}

func TestMemoryLimitIsToldToTheCollector(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		limit := chat(t, objects).Spec.Containers[0].Resources.Limits.Memory().Value()
		told, err := resource.ParseQuantity(strings.TrimSuffix(variables(t, objects)["GOMEMLIMIT"], "B"))
		if err != nil {
			t.Fatal(err)
		}
		if share := float64(told.Value()) / float64(limit); share < 0.8 || share > 0.9 {
			t.Errorf("GOMEMLIMIT is %.0f %% of the memory limit", share*100)
		}
	})
}

func TestPortsAgree(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		values := variables(t, objects)
		ports := map[string]int32{}
		for _, port := range chat(t, objects).Spec.Containers[0].Ports {
			ports[port.Name] = port.ContainerPort
		}
		for name, variable := range map[string]string{"http": "CHAT_ADDR", "admin": "CHAT_ADMIN"} {
			_, port, err := net.SplitHostPort(values[variable])
			if err != nil || port != strconv.Itoa(int(ports[name])) {
				t.Errorf("%s is %q, and the port %s is %d", variable, values[variable], name, ports[name])
			}
			if !strings.HasPrefix(values[variable], ":") {
				t.Errorf("%s listens at %q only", variable, values[variable])
			}
		}
		for _, service := range all[*corev1.Service](objects) {
			found := containerPorts(objects, service.Spec.Selector)
			for _, port := range service.Spec.Ports {
				if !slices.Contains(found, port.TargetPort.StrVal) {
					t.Errorf("%s leads to the port %v of pods that have %v", service.Name, port.TargetPort, found)
				}
			}
		}
		for _, policy := range all[*networkingv1.NetworkPolicy](objects) {
			found := containerPorts(objects, policy.Spec.PodSelector.MatchLabels)
			for _, rule := range policy.Spec.Ingress {
				for _, port := range rule.Ports {
					if !slices.Contains(found, port.Port.StrVal) {
						t.Errorf("%s opens the port %v of pods that have %v", policy.Name, port.Port, found)
					}
				}
			}
		}
	})
}

// templates returns the pods of each workload, by its name.
func templates(objects []object) map[string]corev1.PodTemplateSpec {
	found := map[string]corev1.PodTemplateSpec{}
	for _, deployment := range all[*appsv1.Deployment](objects) {
		found[deployment.Name] = deployment.Spec.Template
	}
	for _, set := range all[*appsv1.StatefulSet](objects) {
		found[set.Name] = withClaims(set)
	}
	return found
}

// withClaims is a set's template as its pods are made from it: with a volume for
// each claim.
func withClaims(set *appsv1.StatefulSet) corev1.PodTemplateSpec {
	template := *set.Spec.Template.DeepCopy()
	for _, claim := range set.Spec.VolumeClaimTemplates {
		template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + set.Name + "-0"},
		}})
	}
	return template
}

// containerPorts returns the names of the ports of the pods with these labels.
func containerPorts(objects []object, selector map[string]string) (names []string) {
	for _, template := range templates(objects) {
		if !labels.SelectorFromSet(selector).Matches(labels.Set(template.Labels)) {
			continue
		}
		for _, container := range template.Spec.Containers {
			for _, port := range container.Ports {
				names = append(names, port.Name)
			}
		}
	}
	return names
}

func TestRoutesLeadToTheService(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		service := one[*corev1.Service](t, objects, "chat")
		port := service.Spec.Ports[0]
		if port.AppProtocol == nil || *port.AppProtocol != "kubernetes.io/ws" {
			t.Error("the service does not say that it is a WebSocket")
		}
		routes := 0
		for _, ingress := range all[*networkingv1.Ingress](objects) {
			for _, rule := range ingress.Spec.Rules {
				for _, path := range rule.HTTP.Paths {
					routes++
					if backend := path.Backend.Service; backend.Name != service.Name || backend.Port.Name != port.Name {
						t.Errorf("an ingress leads to %v", backend)
					}
				}
			}
		}
		for _, route := range all[*gateway.HTTPRoute](objects) {
			for _, rule := range route.Spec.Rules {
				for _, backend := range rule.BackendRefs {
					routes++
					if string(backend.Name) != service.Name || backend.Port == nil || int32(*backend.Port) != port.Port {
						t.Errorf("a route leads to %v", backend.BackendObjectReference)
					}
				}
			}
		}
		if routes == 0 {
			t.Error("nothing leads in")
		}
	})
}

// metricsPaths are what Prometheus asks the chat for.
func metricsPaths(objects []object) (paths []string) {
	for _, monitor := range all[*monitoring.ServiceMonitor](objects) {
		for _, endpoint := range monitor.Spec.Endpoints {
			paths = append(paths, endpoint.Path)
		}
	}
	return paths
}

func TestMonitorsFindTheirService(t *testing.T) {
	eachOverlay(t, func(t *testing.T, objects []object) {
		for _, monitor := range all[*monitoring.ServiceMonitor](objects) {
			found := false
			for _, service := range all[*corev1.Service](objects) {
				if !labels.SelectorFromSet(monitor.Spec.Selector.MatchLabels).Matches(labels.Set(service.Labels)) {
					continue
				}
				for _, port := range service.Spec.Ports {
					found = found || port.Name == monitor.Spec.Endpoints[0].Port
				}
				// Rules compare by job, which is this label of the service.
				if service.Labels[monitor.Spec.JobLabel] == "" {
					t.Errorf("%s has no label %s", service.Name, monitor.Spec.JobLabel)
				}
			}
			if !found {
				t.Errorf("%s finds nothing", monitor.Name)
			}
		}
	})
}

func TestAutoscalerAsksForWhatTheAdapterProvides(t *testing.T) {
	var adapter struct {
		Rules struct {
			Custom []struct {
				SeriesQuery, MetricsQuery string
				Resources                 struct {
					Overrides map[string]struct{ Resource string }
				}
				Name struct{ Matches, As string }
			}
		}
	}
	if err := yaml.UnmarshalStrict(read(t, kubernetes, "components", "autoscaling", "prometheus-adapter.yaml"), &adapter); err != nil {
		t.Fatal(err)
	}
	provided := map[string]bool{}
	for _, rule := range adapter.Rules.Custom {
		provided[rule.Name.As] = rule.Resources.Overrides["pod"].Resource == "pod" && rule.Resources.Overrides["namespace"].Resource == "namespace"
		series, _, _ := strings.Cut(rule.SeriesQuery, "{")
		if rules := string(read(t, "..", "prometheus", "recording.yaml")); !strings.Contains(rules, series) {
			t.Errorf("no rule knows the series %s", series)
		}
	}
	var scaler autoscalingv2.HorizontalPodAutoscaler
	if err := yaml.UnmarshalStrict(read(t, kubernetes, "components", "autoscaling", "horizontalpodautoscaler.yaml"), &scaler); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, metric := range scaler.Spec.Metrics {
		if metric.Type != autoscalingv2.PodsMetricSourceType {
			continue
		}
		asked++
		if !provided[metric.Pods.Metric.Name] {
			t.Errorf("it asks for %s, and the adapter provides %v", metric.Pods.Metric.Name, provided)
		}
	}
	if asked == 0 {
		t.Error("nothing scales by connections")
	}
}
