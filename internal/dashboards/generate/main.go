// Command generate writes the dashboards' JSON.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/tandem-ws/tandem/internal/dashboards"
)

// folder is where they are, as seen from package dashboards.
const folder = "../../deploy/grafana/dashboards"

func main() {
	for name, dashboard := range dashboards.All() {
		data, err := dashboard.JSON()
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
