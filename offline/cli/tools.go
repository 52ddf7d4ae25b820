//go:build tools

// Package tools names the pulumi CLI's Go module, so that `go build` can make the CLI where no download page is
// reached. `go install module@version` can't: the module's go.mod has replace lines.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
