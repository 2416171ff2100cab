// Starts one OpenSearch node out of the server's jars: OpenSearchNode DIRECTORY PORT PLUGIN-CLASS…
// No security, no cluster, loopback only.
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

public class OpenSearchNode {
  private static final class WithPlugins extends Node {
    WithPlugins(Settings settings, Collection<Class<? extends Plugin>> plugins) {
      super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "flowtally"), plugins, true);
    }
  }

  public static void main(String[] arguments) throws Exception {
    String directory = arguments[0];
    Settings settings = Settings.builder()
        .put("path.home", directory)
        .put("path.data", directory + "/data")
        .put("path.logs", directory + "/logs")
        .put("cluster.name", "flowtally-test")
        .put("node.name", "flowtally-test")
        .put("discovery.type", "single-node")
        .put("network.host", "127.0.0.1")
        .put("http.port", arguments[1])
        .put("transport.port", "0")
        .put("http.type", "netty4")
        .put("transport.type", "netty4")
        .put("cluster.routing.allocation.disk.threshold_enabled", false)
        .build();
    List<Class<? extends Plugin>> plugins = new ArrayList<>();
    plugins.add(Netty4Plugin.class);
    for (int at = 2; at < arguments.length; at++) plugins.add(Class.forName(arguments[at]).asSubclass(Plugin.class));
    Node node = new WithPlugins(settings, plugins);
    node.start();
    Thread.currentThread().join();
  }
}
