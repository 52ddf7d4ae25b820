// Command kubernetes is each of Kubernetes' programs, as its first argument says, built from the release's Go module
// where no release can be downloaded.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

var programs = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kubectl":                 kubectl.NewDefaultKubectlCommand,
}

func main() {
	// As BusyBox does it: by the name of a symbolic link, else by the first argument.
	if programs[filepath.Base(os.Args[0])] == nil {
		os.Args = os.Args[1:]
	}
	if len(os.Args) == 0 || programs[filepath.Base(os.Args[0])] == nil {
		fmt.Fprintln(os.Stderr, "usage: kubernetes PROGRAM [ARGUMENT...]")
		os.Exit(2)
	}
	os.Exit(cli.Run(programs[filepath.Base(os.Args[0])]()))
}
