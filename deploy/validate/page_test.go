package validate

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// The page's tables say what the manifests do.
func TestPageSaysWhatTheManifestsDo(t *testing.T) {
	objects := scaled(t)
	pod := chat(t, objects).Spec
	container := pod.Containers[0]
	values := variables(t, objects)
	scaler := one[*autoscalingv2.HorizontalPodAutoscaler](t, objects, "chat")
	connections := ""
	for _, metric := range scaler.Spec.Metrics {
		if metric.Pods != nil {
			connections = metric.Pods.Target.AverageValue.String()
		}
	}
	surge := one[*appsv1.Deployment](t, objects, "chat").Spec.Strategy.RollingUpdate.MaxSurge.String()
	page := string(read(t, "..", "README.md"))
	for name, value := range map[string]string{
		"`preStop.sleep`":                  fmt.Sprintf("%ds", container.Lifecycle.PreStop.Sleep.Seconds),
		"`CHAT_DRAIN_DELAY`":               values["CHAT_DRAIN_DELAY"],
		"`CHAT_DRAIN_SPREAD`":              values["CHAT_DRAIN_SPREAD"],
		"`CHAT_DRAIN_TIMEOUT`":             values["CHAT_DRAIN_TIMEOUT"],
		"`terminationGracePeriodSeconds`":  fmt.Sprintf("%ds", *pod.TerminationGracePeriodSeconds),
		"connections of a pod, on average": strings.Replace(connections, "k", "000", 1),
		"memory limit":                     container.Resources.Limits.Memory().String(),
		"`GOMEMLIMIT`":                     values["GOMEMLIMIT"],
		"most pods":                        fmt.Sprint(scaler.Spec.MaxReplicas),
	} {
		if row := "| " + name + " | " + value + " |"; !strings.Contains(page, row) {
			t.Errorf("the page has no %q", row)
		}
	}
	if !strings.Contains(page, "maxSurge: "+surge) {
		t.Errorf("the page does not say that maxSurge is %s", surge)
	}
	for _, link := range regexp.MustCompile(`\]\(#([a-z-]+)\)`).FindAllStringSubmatch(page, -1) {
		heading := regexp.MustCompile(`(?mi)^#+ ` + strings.ReplaceAll(link[1], "-", "[ -]") + `$`)
		if !heading.MatchString(page) {
			t.Errorf("the page has no heading for #%s", link[1])
		}
	}
}
