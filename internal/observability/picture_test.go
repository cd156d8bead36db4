package observability

import (
	"encoding/json"
	"net/url"
	"os"
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
	type picture struct {
		Title  string
		Series []sample
	}
	var pictures []picture
	end := time.Now()
	for _, title := range inPicture {
		for _, panel := range readDashboards(t) {
			if panel.title != title || panel.dashboard != "Tandem: fleet" {
				continue
			}
			one := picture{Title: title}
			for _, expr := range fill(panel.exprs, ".*") {
				var result struct{ Result []sample }
				p.ask("query_range", url.Values{
					"query": {expr}, "step": {"0.5"},
					"start": {end.Add(-90 * time.Second).Format(time.RFC3339)}, "end": {end.Format(time.RFC3339)},
				}, &result)
				one.Series = append(one.Series, result.Result...)
			}
			pictures = append(pictures, one)
		}
	}
	data, err := json.Marshal(pictures)
	must(t, err, os.WriteFile(path, data, 0o600))
}
