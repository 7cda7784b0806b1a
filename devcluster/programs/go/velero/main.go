// Velero's server with its own plugins, as Velero builds them, without the commands of its client: their modules are many.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/vmware-tanzu/velero/pkg/client"
	"github.com/vmware-tanzu/velero/pkg/cmd/server"
	runplugin "github.com/vmware-tanzu/velero/pkg/cmd/server/plugin"
)

func main() {
	command := &cobra.Command{Use: "velero"}
	factory := client.NewFactory("velero", client.VeleroConfig{})
	factory.BindFlags(command.PersistentFlags())
	command.AddCommand(server.NewCommand(factory), runplugin.NewCommand(factory))
	if command.Execute() != nil {
		os.Exit(1)
	}
}
