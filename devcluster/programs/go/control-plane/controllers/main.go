// The controllers that a cluster without nodes needs, as kube-controller-manager
// starts them, and no others.
//
// Its other controllers, above all the scheduler's packages, would be 110 s more
// of the compiler's CPU time; these are 5 s after the build of the API server.
package main

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/keyutil"
	"k8s.io/controller-manager/pkg/clientbuilder"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/certificates/rootcacertpublisher"
	"k8s.io/kubernetes/pkg/controller/clusterroleaggregation"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	serviceaccounts "k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/serviceaccount"
)

var (
	kubeconfig = flag.String("kubeconfig", "", "of the user system:kube-controller-manager")
	signingKey = flag.String("service-account-private-key-file", "", "signs tokens of service accounts")
	rootCA     = flag.String("root-ca-file", "", "certificate of the authority that signed the API server's")
	// With the manager's default of 20 a second, a new namespace waits seconds for its service account.
	qps = flag.Float64("kube-api-qps", 20, "requests a second")
)

// As kube-controller-manager has them by default.
const (
	resync            = 12 * time.Hour
	namespacePeriod   = 5 * time.Minute
	discoveryPeriod   = 30 * time.Second
	namespaceWorkers  = 10
	collectors        = 20
	tokenWorkers      = 5
	aggregatorWorkers = 5
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run(ctx)
}

func run(ctx context.Context) {
	config := must(clientcmd.BuildConfigFromFlags("", *kubeconfig))
	config.QPS = float32(*qps)
	config.Burst = int(*qps)
	// As kube-controller-manager --use-service-account-credentials: RBAC grants each controller its own rights.
	root := clientbuilder.SimpleControllerClientBuilder{ClientConfig: config}
	own := clientbuilder.NewDynamicClientBuilder(
		rest.AnonymousClientConfig(config), kubernetes.NewForConfigOrDie(config).CoreV1(), metav1.NamespaceSystem)

	period := time.Duration((1 + rand.Float64()) * float64(resync))
	typed := informers.NewSharedInformerFactoryWithOptions(
		root.ClientOrDie("shared-informers"), period, informers.WithTransform(withoutManagedFields))
	metadataClient := metadata.NewForConfigOrDie(root.ConfigOrDie("metadata-informers"))
	untyped := metadatainformer.NewSharedInformerFactoryWithOptions(
		metadataClient, period, metadatainformer.WithTransform(withoutManagedFields))
	both := informerfactory.NewInformerFactory(typed, untyped)
	started := make(chan struct{})

	controllers := []func(){
		tokens(ctx, root, typed),
		accounts(ctx, own, typed),
		authorities(ctx, own, typed),
		aggregation(ctx, own, typed),
		namespaces(ctx, own, typed),
		garbage(ctx, root, own, metadataClient, both, started),
	}
	typed.Start(ctx.Done())
	both.Start(ctx.Done())
	close(started)
	var running sync.WaitGroup
	for _, controller := range controllers {
		running.Go(controller)
	}
	running.Wait()
}

func tokens(ctx context.Context, root clientbuilder.ControllerClientBuilder, typed informers.SharedInformerFactory) func() {
	key := must(keyutil.PrivateKeyFromFile(*signingKey))
	controller := must(serviceaccounts.NewTokensController(
		klog.FromContext(ctx),
		typed.Core().V1().ServiceAccounts(),
		typed.Core().V1().Secrets(),
		root.ClientOrDie("tokens-controller"),
		serviceaccounts.TokensControllerOptions{
			TokenGenerator: must(serviceaccount.JWTTokenGenerator(serviceaccount.LegacyIssuer, key)),
			RootCA:         must(os.ReadFile(*rootCA)),
		},
	))
	return func() { controller.Run(ctx, tokenWorkers) }
}

func accounts(ctx context.Context, own clientbuilder.ControllerClientBuilder, typed informers.SharedInformerFactory) func() {
	controller := must(serviceaccounts.NewServiceAccountsController(
		klog.FromContext(ctx),
		typed.Core().V1().ServiceAccounts(),
		typed.Core().V1().Namespaces(),
		own.ClientOrDie("service-account-controller"),
		serviceaccounts.DefaultServiceAccountsControllerOptions(),
	))
	return func() { controller.Run(ctx, 1) }
}

func authorities(ctx context.Context, own clientbuilder.ControllerClientBuilder, typed informers.SharedInformerFactory) func() {
	controller := must(rootcacertpublisher.NewPublisher(
		typed.Core().V1().ConfigMaps(),
		typed.Core().V1().Namespaces(),
		own.ClientOrDie("root-ca-cert-publisher"),
		must(os.ReadFile(*rootCA)),
	))
	return func() { controller.Run(ctx, 1) }
}

func aggregation(ctx context.Context, own clientbuilder.ControllerClientBuilder, typed informers.SharedInformerFactory) func() {
	controller := clusterroleaggregation.NewClusterRoleAggregation(
		typed.Rbac().V1().ClusterRoles(), own.ClientOrDie("clusterrole-aggregation-controller").RbacV1())
	return func() { controller.Run(ctx, aggregatorWorkers) }
}

func namespaces(ctx context.Context, own clientbuilder.ControllerClientBuilder, typed informers.SharedInformerFactory) func() {
	config := own.ConfigOrDie("namespace-controller")
	config.QPS *= 20 // it sends many requests for each namespace
	config.Burst *= 100
	client := kubernetes.NewForConfigOrDie(config)
	controller := namespace.NewNamespaceController(
		ctx,
		client,
		metadata.NewForConfigOrDie(config),
		client.Discovery().ServerPreferredNamespacedResources,
		typed.Core().V1().Namespaces(),
		namespacePeriod,
		v1.FinalizerKubernetes,
	)
	return func() { controller.Run(ctx, namespaceWorkers) }
}

func garbage(
	ctx context.Context,
	root, own clientbuilder.ControllerClientBuilder,
	watching metadata.Interface,
	both informerfactory.InformerFactory,
	started <-chan struct{},
) func() {
	const name = "generic-garbage-collector"
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(
		memory.NewMemCacheClient(root.DiscoveryClientOrDie("controller-discovery")))
	go wait.Until(mapper.Reset, discoveryPeriod, ctx.Done())
	ignored := make(map[schema.GroupResource]struct{})
	for resource := range garbagecollector.DefaultIgnoredResources() {
		ignored[resource] = struct{}{}
	}
	graph := garbagecollector.NewDependencyGraphBuilder(ctx, watching, mapper, ignored, both, started)
	config := own.ConfigOrDie(name)
	config.QPS *= 2 // each deletion takes two requests
	controller := must(garbagecollector.NewComposedGarbageCollector(
		ctx, own.ClientOrDie(name), metadata.NewForConfigOrDie(config), mapper, graph))
	return func() {
		var running sync.WaitGroup
		running.Go(func() { controller.Run(ctx, collectors, discoveryPeriod) })
		running.Go(func() { controller.Sync(ctx, own.DiscoveryClientOrDie(name), discoveryPeriod) })
		running.Wait()
	}
}

// withoutManagedFields makes objects in caches smaller.
func withoutManagedFields(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}

func must[T any](value T, err error) T {
	if err != nil {
		klog.ErrorS(err, "The controllers cannot start")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
	return value
}
