// One program that is etcd or kube-apiserver, by the name it is called with.
//
// The parts share code, so one program is smaller than two, and one build makes
// both. The launcher puts a symbolic link for each name beside it.
//
// The demo needs nothing else. Clusters of tests have the program in the folder
// controllers too. kube-controller-manager is the program in the folder manager:
// it would add 363 packages to this one.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics on /metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // kubernetes_build_info on /metrics
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
)

var programs = map[string]func(){
	"etcd":           func() { etcdmain.Main(os.Args) },
	"kube-apiserver": server(apiserver.NewAPIServerCommand),
}

func main() {
	name := filepath.Base(os.Args[0])
	run, known := programs[name]
	if !known {
		names := slices.Sorted(maps.Keys(programs))
		fmt.Fprintf(os.Stderr, "%s: call this program by one of the names %s\n", name, strings.Join(names, ", "))
		os.Exit(2)
	}
	run()
}

// server delays making the command until it is the one that was asked for:
// each of them registers its flags and metrics in the process as it is made.
func server(command func() *cobra.Command) func() {
	return func() { os.Exit(cli.Run(command())) }
}
