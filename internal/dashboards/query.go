package dashboards

import (
	"fmt"
	"strings"
)

// expand puts the selector of the variables in the place of $s.
func expand(expr string) string { return strings.ReplaceAll(expr, "$s", selector) }

// gauge, rate and quantile make the common queries.

func gauge(metric, by, legend string) Query {
	return Query{fmt.Sprintf("sum by (%s) (tandem_%s{$s})", by, metric), legend}
}

// rate is per second. The labels may begin with matchers: see with.
func rate(metric, by, legend string) Query {
	return Query{fmt.Sprintf("sum by (%s) (rate(tandem_%s[$__rate_interval]))", by, with(metric)), legend}
}

// with adds the selector to a metric that may have matchers of its own.
func with(metric string) string {
	if name, matchers, ok := strings.Cut(strings.TrimSuffix(metric, "}"), "{"); ok {
		return name + "{" + matchers + ",$s}"
	}
	return metric + "{$s}"
}

// quantiles are of a histogram's classic buckets, which every Prometheus keeps
// unless it is told to keep native histograms only.
func quantiles(metric, by string, of ...float64) (all []Query) {
	labels, prefix := "le", ""
	if by != "" {
		labels, prefix = "le, "+by, "{{"+by+"}} "
	}
	for _, q := range of {
		all = append(all, Query{
			fmt.Sprintf("histogram_quantile(%g, sum by (%s) (rate(tandem_%s_bucket{$s}[$__rate_interval])))", q, labels, metric),
			fmt.Sprintf("%sp%g", prefix, 100*q),
		})
	}
	return all
}

// ratio divides the rates of two metrics.
func ratio(over, under, by, legend string) Query {
	return Query{fmt.Sprintf("sum by (%s) (rate(tandem_%s[$__rate_interval])) / sum by (%s) (rate(tandem_%s[$__rate_interval]))", by, with(over), by, with(under)), legend}
}
