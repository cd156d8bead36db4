package observability

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// pictureVariable names a file that gets the data of the picture in the README,
// as benchmarks/cmd/picture reads it.
const pictureVariable = "TANDEM_PICTURE"

// inPicture are the panels that are in it, in order.
var inPicture = []string{"Connections", "Closed by cause", "Ping round trip, quantiles", "Frames", "Crowded mailboxes", "Dropped frames"}

// savePicture saves what the panels showed since the start, where asked to.
func savePicture(t *testing.T, p *promServer) {
	path := os.Getenv(pictureVariable)
	if path == "" {
		return
	}
	type series struct {
		Legend string
		Values [][2]any // seconds and value
	}
	type picture struct {
		Title  string
		Series []series
	}
	var pictures []picture
	end := time.Now()
	for _, title := range inPicture {
		for _, panel := range readDashboards(t) {
			if panel.title != title || panel.dashboard != "Tandem: fleet" {
				continue
			}
			one := picture{Title: title}
			for i, expr := range fill(panel.exprs, ".*") {
				var result struct{ Result []sample }
				p.ask("query_range", url.Values{
					"query": {expr}, "step": {"0.5"},
					"start": {end.Add(-90 * time.Second).Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)},
				}, &result)
				for _, s := range result.Result {
					legend := panel.legends[i]
					s.Metric["instance"] = "" // a port that tells nobody anything
					for name, value := range s.Metric {
						legend = strings.ReplaceAll(legend, "{{"+name+"}}", value)
					}
					one.Series = append(one.Series, series{strings.TrimSpace(legend), s.Values})
				}
			}
			pictures = append(pictures, one)
		}
	}
	data, err := json.Marshal(pictures)
	must(t, err, os.WriteFile(path, data, 0o600))
}
