// Command pulumi-resource-kubernetes is Pulumi's own plugin, built from its Go module where no plugin can be downloaded.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// version is the version of the Python SDK, which the engine compares with that of the plugin.
var version string

// The plugin's own schema, which the build copies here from the module.
//
//go:embed schema.json
var schema []byte

func main() {
	provider.Serve("kubernetes", version, schema, nil)
}
