package metrics_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/metrics"
)

func TestSecondRegistrationIsATypedError(t *testing.T) {
	first, registry := newCollector(t)
	second, err := metrics.New(metrics.Config{Registerer: registry})
	if second != nil {
		t.Error("got a collector beside the error")
	}
	var registration *metrics.RegistrationError
	if !errors.As(err, &registration) || registration.Namespace != metrics.DefaultNamespace {
		t.Fatalf("got %v, want a *RegistrationError with the namespace", err)
	}
	if !errors.Is(err, metrics.ErrAlreadyRegistered) {
		t.Errorf("%v is not ErrAlreadyRegistered", err)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v is every error", err)
	}
	var already prometheus.AlreadyRegisteredError
	if !errors.As(err, &already) || already.ExistingCollector != prometheus.Collector(first) {
		t.Errorf("%v does not lead to the first collector", err)
	}
	if !strings.Contains(err.Error(), "share one collector") {
		t.Errorf("%v does not say what helps", err)
	}

	first.ConnectionOpened("epoll")
	wantSamples(t, registry, map[string]string{`tandem_connections_opened_total{readiness="epoll"}`: "1"})
}

func TestNameTakenByAnotherCollectorIsATypedErrorAndRegistersNothing(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	foreign := prometheus.NewGauge(prometheus.GaugeOpts{Name: "tandem_mailbox_bytes", Help: "Something else."})
	registry.MustRegister(foreign)
	_, err := metrics.New(metrics.Config{Registerer: registry})
	var registration *metrics.RegistrationError
	if !errors.As(err, &registration) {
		t.Fatalf("got %v, want a *RegistrationError", err)
	}
	if errors.Is(err, metrics.ErrAlreadyRegistered) {
		t.Error("another collector's name counts as a second registration")
	}
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 1 {
		t.Errorf("the registry has %d metrics (%v), want the foreign one alone", n, err)
	}
}

func TestCollectorsThatDifferShareARegisterer(t *testing.T) {
	for name, configs := range map[string][2]metrics.Config{
		"by namespace": {{}, {Namespace: "edge"}},
		"by label": {
			{ConstLabels: prometheus.Labels{"server": "chat"}}, {ConstLabels: prometheus.Labels{"server": "admin"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewPedanticRegistry()
			for _, config := range configs {
				config.Registerer = registry
				c, err := metrics.New(config)
				if err != nil {
					t.Fatal(err)
				}
				c.MessageRefused()
			}
			if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
				t.Errorf("lint: %v, %v", problems, err)
			}
		})
	}
}

func TestConstLabelsAreOnEverySample(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	if _, err := metrics.New(metrics.Config{Registerer: registry, ConstLabels: prometheus.Labels{"server": "chat"}}); err != nil {
		t.Fatal(err)
	}
	for sample := range exposition(t, registry) {
		if !strings.Contains(sample, `server="chat"`) {
			t.Errorf("%s lacks the label", sample)
		}
	}
}

func TestCollectorCanBeUnregisteredAndMadeAgain(t *testing.T) {
	c, registry := newCollector(t)
	if !registry.Unregister(c) {
		t.Fatal("the registry does not know the collector")
	}
	if _, err := metrics.New(metrics.Config{Registerer: registry}); err != nil {
		t.Error(err)
	}
}

func TestDefaultRegistererIsPrometheusOwn(t *testing.T) {
	before := prometheus.DefaultRegisterer
	defer func() { prometheus.DefaultRegisterer = before }()
	registry := prometheus.NewPedanticRegistry()
	prometheus.DefaultRegisterer = registry
	c, err := metrics.New(metrics.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if !registry.Unregister(c) {
		t.Error("not registered on prometheus.DefaultRegisterer")
	}
}

func TestSettingsThatCannotBeExposedAreConfigErrors(t *testing.T) {
	for name, test := range map[string]struct {
		config metrics.Config
		field  string
	}{
		"namespace with a dash":        {metrics.Config{Namespace: "my-app"}, "Namespace"},
		"namespace with a digit first": {metrics.Config{Namespace: "1app"}, "Namespace"},
		"label without a name":         {labelled("", "x"), "ConstLabels"},
		"label with a dot":             {labelled("a.b", "x"), "ConstLabels"},
		"label of Prometheus itself":   {labelled("__name__", "x"), "ConstLabels"},
		"label of histograms":          {labelled("le", "x"), "ConstLabels"},
		"label of summaries":           {labelled("quantile", "x"), "ConstLabels"},
		"label of a metric here":       {labelled("opcode", "x"), "ConstLabels"},
		"value that is not UTF-8":      {labelled("server", "\xff"), "ConstLabels"},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Registerer = prometheus.NewPedanticRegistry()
			_, err := metrics.New(test.config)
			var wrong *actor.ConfigError
			if !errors.As(err, &wrong) || wrong.Field != test.field {
				t.Errorf("got %v, want a *ConfigError for %s", err, test.field)
			}
		})
	}
}

func labelled(name, value string) metrics.Config {
	return metrics.Config{ConstLabels: prometheus.Labels{name: value}}
}
