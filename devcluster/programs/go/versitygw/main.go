// versitygw's S3 server on folders, as its command `posix` starts it, without its
// other storage, the service of accounts and its tests: a third less to compile.
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	// As by default of its command line.
	config := embedgw.Config{
		MaxConnections:    250_000,
		MaxRequests:       100_000,
		MultipartMaxParts: 10_000,
		IAMCacheTTL:       120,
		IAMCachePrune:     3_600,
		Quiet:             true,
	}
	port := flag.String("port", "", "HOST:PORT to listen on")
	flag.StringVar(&config.Region, "region", "", "the region that signatures name")
	flag.StringVar(&config.HealthPath, "health", "", "the path of the health check")
	flag.StringVar(&config.RootUserAccess, "access", "", "the administrator's access key")
	flag.StringVar(&config.RootUserSecret, "secret", "", "the administrator's secret key")
	flag.StringVar(&config.IAMDir, "iam-dir", "", "the folder of the other accounts")
	flag.StringVar(&config.CertFile, "cert", "", "a certificate, for TLS")
	flag.StringVar(&config.KeyFile, "key", "", "the certificate's key")
	buckets := flag.String("buckets", "", "a folder with a folder for each bucket")
	metadata := flag.String("metadata", "", "the folder of the objects' metadata")
	flag.Parse()
	config.Ports = []string{*port}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *buckets, *metadata, &config); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, buckets, metadata string, config *embedgw.Config) error {
	beside, err := meta.NewSideCar(metadata)
	if err != nil {
		return err
	}
	options := posix.PosixOpts{
		SideCarDir:          metadata,
		Concurrency:         5_000,
		IOBufferSize:        1 << 20,
		CopyObjectThreshold: 5 << 30,
	}
	options.SetNewDirPerm(0o755)
	options.SetNewFilePerm(0o644)
	folders, err := posix.New(buckets, beside, options)
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, folders, config)
}
