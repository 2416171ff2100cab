#include <algorithm>
#include <cstdio>
#include <expected>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/commands.hpp"
#include "app/configuration.hpp"
#include "app/options.hpp"
#include "app/run_settings.hpp"
#include "config/load.hpp"

namespace flowtally::app {
namespace {

/// An option whose value is read by `parse`; what is wrong with it is said in parse's words.
template <class Value, class Parse>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, Value& into, Parse parse,
                        const std::string& help, const std::string& shown) {
  const CLI::callback_t read = [&into, parse, name](const CLI::results_t& texts) {
    auto value = parse(texts.back());
    if (!value) throw CLI::ValidationError(name, value.error().text());
    into = std::move(*value);
    return true;
  };
  return app.add_option(name, read, help)
      ->type_name(shown)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void add_identity(CLI::App& app, RunOptions& options) {
  app.add_option("--tailscaled-socket", options.tailscaled_socket,
                 "where tailscaled answers who is who (default: /var/run/tailscale/tailscaled.sock)")
      ->type_name("PATH");
  app.add_option("--identity", options.identity_file,
                 "who is who, in a YAML file, instead of asking tailscaled")
      ->type_name("FILE")
      ->excludes("--tailscaled-socket");
  app.add_flag(
      "--log-exit-flows", options.log_exit_flows,
      "write protocol, ports and outside addresses of exit traffic (default: as the tailnet's policy says)");
  app.add_flag_callback(
      "--no-physical", [&options] { options.physical = false; },
      "do not count tailscaled's own datagrams (physicalTraffic)");
  const CLI::callback_t read_underlay = [&options](const CLI::results_t& names) {
    options.underlay.clear();  // what the configuration file says is not added to
    for (const std::string& text : names) {
      auto name = parse_interface(text);
      if (!name) throw CLI::ValidationError("--underlay", name.error().text());
      options.underlay.push_back(std::move(*name));
    }
    return true;
  };
  app.add_option(
         "--underlay", read_underlay,
         "device that carries tailscaled's datagrams; can be given more than once (default: every device "
         "with an address of its own)")
      ->type_name("NAME")
      ->excludes("--no-physical");
}

void add_run(CLI::App& app, RunOptions& options) {
  app.add_option(
         "--config", options.config_file,
         "configuration file; what is given here wins over it (default: /etc/flowtally/flowtally.yaml, if "
         "there is one)")
      ->type_name("FILE");
  add_parsed(app, "--interface", options.interface, parse_interface,
             "device to count; waited for if it is not there (default: tailscale0)", "NAME");
  add_parsed(app, "--interval", options.interval, parse_interval, "length of a window (default: 5s)", "TIME");
  app.add_option("--state-dir", options.state_dir,
                 "where the journal of records is kept (default: /var/lib/flowtally)")
      ->type_name("DIR");
  add_parsed(app, "--retain-size", options.retained_bytes, parse_retained_bytes,
             "size of the journal beyond which its oldest records go (default: 4G)", "SIZE");
  add_parsed(app, "--retain-age", options.retained_age_ms, parse_retained_age,
             "age at which records go, such as 30d (default: none)", "TIME");
  const std::map<std::string, journal::SyncPolicy> policies = {{"window", journal::SyncPolicy::kEachBatch},
                                                               {"second", journal::SyncPolicy::kInterval},
                                                               {"never", journal::SyncPolicy::kNever}};
  app.add_option("--fsync", options.sync,
                 "when records are synced to the disk: with each window, once a second, or when the kernel "
                 "likes to (default: window)")
      ->transform(CLI::CheckedTransformer(policies))
      ->option_text("WHEN");
  app.add_option("--output", options.output, "file to append a copy of the records to; - is stdout")
      ->type_name("FILE");
  app.add_flag_callback(
         "--no-journal", [&options] { options.journal = false; },
         "keep nothing: records go to --output only (default then: -), and counting ends with the run")
      ->excludes("--state-dir");
  app.add_option("--socket", options.socket,
                 "Unix socket on which questions are answered (default: /run/flowtally/flowtally.sock)")
      ->type_name("PATH");
  app.add_option("--socket-group", options.socket_group, "group that may use the socket")->type_name("GROUP");
  app.add_option("--user", options.user,
                 "user that the agent becomes, by name or UID[:GID] (default: flowtally, where there is one)")
      ->type_name("USER");
  app.add_option("--admin-group", options.admin_group,
                 "group that may change streams and the configuration over the socket (default: root only)")
      ->type_name("GROUP");
  app.add_option("--token-file", options.token_file, "file with the token that --listen asks for")
      ->type_name("FILE");
  app.add_option("--listen", options.listen,
                 "answer on this loopback TCP address too, such as 127.0.0.1:8473; needs a token")
      ->type_name("HOST:PORT");
  app.add_flag("--fresh", options.fresh,
               "start anew: throw away what an earlier run has left in the kernel, undrained counts included")
      ->excludes("--no-journal");
  add_parsed(
      app, "--node-id", options.node_id, parse_node_id,
      "nodeId of the records (default: as tailscaled or --identity says, else derived from the machine id)",
      "ID");
  add_parsed(
      app, "--max-flows", options.flows_max, parse_flows_max,
      "most flows of each IP version in one window; memory follows the traffic up to it (default: 131072)",
      "N");
  app.add_option("--bpffs", options.bpffs, "mounted BPF file system (default: /sys/fs/bpf)")
      ->type_name("DIR");
  const std::map<std::string, capture::AttachMode> modes = {{"auto", capture::AttachMode::kAuto},
                                                            {"tcx", capture::AttachMode::kTcx},
                                                            {"clsact", capture::AttachMode::kClsact}};
  app.add_option("--attach", options.attach, "auto, tcx or clsact (default: auto)")
      ->transform(CLI::CheckedTransformer(modes))
      ->option_text("HOW");
  add_parsed(app, "--duration", options.duration, parse_duration,
             "stop by itself after TIME (default: until a stop signal)", "TIME");
  app.add_flag_callback(
      "--no-exclude", [&options] { options.exclude = false; },
      "list also what Tailscale leaves out: service addresses, multicast, link-local");
  app.add_flag_callback(
      "--no-accounting", [&options] { options.accounting = false; }, "write Tailscale's fields only");
  add_identity(app, options);
}

void add_demo(CLI::App& app, DemoOptions& options) {
  add_parsed(app, "--duration", options.duration, parse_duration,
             "stop by itself after TIME (default: until Ctrl-C)", "TIME");
  add_parsed(app, "--interval", options.interval, parse_interval, "length of a window (default: 1s)", "TIME");
  add_parsed(app, "--max-flows", options.flows_max, parse_flows_max,
             "most flows of each IP version in one window", "N");
}

void add_detach(CLI::App& app, DetachOptions& options) {
  add_parsed(app, "--wait", options.wait, parse_duration,
             "wait so long for a run that is about to end (default: 2s)", "TIME");
  app.add_option("--bpffs", options.bpffs, "mounted BPF file system (default: /sys/fs/bpf)")
      ->type_name("DIR");
}

void add_check(CLI::App& app, CheckOptions& options) {
  add_parsed(app, "--interface", options.interface, parse_interface, "device that would be counted", "NAME");
  app.add_option("--bpffs", options.bpffs, "mounted BPF file system (default: /sys/fs/bpf)")
      ->type_name("DIR");
  app.add_option("--state-dir", options.state_dir,
                 "where the journal would be kept (default: /var/lib/flowtally)")
      ->type_name("DIR");
  app.add_option("--tailscaled-socket", options.tailscaled_socket,
                 "where tailscaled would be asked (default: /var/run/tailscale/tailscaled.sock)")
      ->type_name("PATH");
  app.add_option("--user", options.user,
                 "user that the agent would become (default: flowtally, where there is one)")
      ->type_name("USER");
  app.add_flag("--json", options.json, "findings as JSON");
}

void add_socket(CLI::App& app, std::string& socket) {
  app.add_option("--socket", socket,
                 "Unix socket of the agent that is asked (default: /run/flowtally/flowtally.sock)")
      ->type_name("PATH");
}

void add_filter(CLI::App& app, std::vector<std::string>& filter) {
  app.add_option("filter", filter,
                 "which connections, such as: proto tcp and port 443 and bytes '>' 1M (default: all)")
      ->type_name("FILTER");
}

void add_ask(CLI::App& app, AskOptions& options) {
  add_socket(app, options.socket);
  app.add_flag("--json", options.json, "the agent's answer as it is");
}

void add_status(CLI::App& app, StatusOptions& options) {
  using What = cli::StatusOptions::What;
  add_ask(app, options.ask);
  CLI::Option* const healthy = app.add_flag_callback(
      "--healthy", [&options] { options.what = What::kHealthy; },
      "succeed only while windows are drained; for probes that restart it");
  CLI::Option* const ready = app.add_flag_callback(
      "--ready", [&options] { options.what = What::kReady; },
      "succeed only while flows are counted, or the interface is waited for, and the journal can be written");
  healthy->excludes("--json");
  ready->excludes("--json")->excludes(healthy);
}

void add_tail(CLI::App& app, TailOptions& options) {
  add_filter(app, options.filter);
  add_socket(app, options.socket);
  app.add_flag("--json", options.json, "a JSON object on each line, for each connection");
}

void add_query(CLI::App& app, QueryOptions& options) {
  add_filter(app, options.filter);
  app.add_option("--since", options.text.since, "from so long ago on, such as 90s, 15m, 2h, 3d")
      ->type_name("AGE");
  app.add_option("--start", options.text.start,
                 "from then on: 03:12, yesterday, 2026-11-23, \"2026-11-23 03:12\", RFC 3339")
      ->type_name("TIME")
      ->excludes("--since");
  app.add_option("--end", options.text.end, "up to then (default: now)")->type_name("TIME");
  app.add_option("--group-by", options.text.group_by,
                 "sums instead of connections, by src, dst, port, proto, peer, user, tag, class, node, "
                 "time:5m; several with commas")
      ->type_name("COLUMNS");
  app.add_option("--sort", options.text.sort, "a column of the answer; -bytes: most first")
      ->type_name("COLUMN");
  app.add_option("--limit", options.text.limit, "so many rows (default: all)")->type_name("N");
  add_parsed(app, "--output", options.format, parse_format, "table, json, ndjson or csv (default: table)",
             "FORM");
  app.add_flag("--json", options.json, "the same as --output json")->excludes("--output");
  add_socket(app, options.socket);
  app.add_option("--state-dir", options.state_dir,
                 "read the journal of a run there, without asking an agent; none need run")
      ->type_name("DIR")
      ->excludes("--socket");
}

/// Each of `stream`'s own subcommands says by `what` that it was the one.
void add_stream(CLI::App& app, cli::StreamOptions& options) {
  using What = cli::StreamOptions::What;
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* about, What what) {
    CLI::App* const command = app.add_subcommand(name, about);
    command->callback([&options, what] { options.what = what; });
    add_socket(*command, options.socket);
    return command;
  };
  const auto named = [&](CLI::App* command) {
    command->add_option("name", options.name, "the stream's name")->required()->type_name("NAME");
  };
  for (const char* const name : {"list", "status"}) {
    CLI::App* const command = add(name, "list the streams and how they are doing", What::kList);
    command->add_flag("--json", options.json, "the agent's answer as it is");
  }
  CLI::App* const added = add("add", "add a stream, or put it in place of the one of that name", What::kAdd);
  named(added);
  added->add_option("file", options.file, "YAML or JSON, as under `sinks:` in the configuration; -: stdin")
      ->required()
      ->type_name("FILE");
  named(add("remove", "remove a stream that was added here", What::kRemove));
  named(add("test", "send one marked record and show what the receiver says", What::kTest));
  named(add("replay", "send again what the receiver had refused", What::kReplay));
}

void add_config(CLI::App& app, cli::ConfigurationOptions& options) {
  using What = cli::ConfigurationOptions::What;
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* about, What what) {
    CLI::App* const command = app.add_subcommand(name, about);
    command->callback([&options, what] { options.what = what; });
    return command;
  };
  for (CLI::App* const command :
       {add("check", "say everything that is wrong with the file", What::kCheck),
        add("print", "print what the file comes to, secrets masked", What::kPrint)}) {
    command->add_option("file", options.file, "configuration file (default: /etc/flowtally/flowtally.yaml)")
        ->type_name("FILE");
    if (command->get_name() == "print")
      command->add_flag("--effective", options.effective, "with everything that holds by default");
  }
  add("schema", "print a JSON Schema of the file, for editors", What::kSchema);
}

/// Flags win over the file, the file over what holds by default.
std::expected<RunOptions, config::Refusal> run_options_of(const std::vector<std::string>& flags,
                                                          const std::string& file, bool may_be_absent) {
  const auto loaded =
      config::load_settings({.file = file, .may_be_absent = may_be_absent, .check_filter = check_filter});
  if (!loaded) return std::unexpected(loaded.error());
  RunOptions options;
  put(loaded->settings, options);
  CLI::App app;
  add_run(app, options);
  try {
    app.parse(std::vector<std::string>(flags.rbegin(), flags.rend()));  // CLI11 takes them from behind
  } catch (const CLI::ParseError& error) {
    return std::unexpected(config::Refusal{.lines = {error.what()}});
  }
  if (!options.listen.empty() && options.token_file.empty()) {
    return std::unexpected(config::Refusal{.lines = {"a TCP listener needs a token: give --token-file"}});
  }
  if (!options.journal && !options.sinks.empty()) {
    return std::unexpected(
        config::Refusal{.lines = {"sinks read the journal: they cannot be had with --no-journal"}});
  }
  options.config_file = loaded->files.empty() ? std::string() : file;
  options.reload = [flags, file, may_be_absent] { return run_options_of(flags, file, may_be_absent); };
  return options;
}

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 something failed while running; 2 the command line is wrong; 3 this host lacks "
    "something\n"
    "(see `flowtally check`); 4 counts did not add up; 5 no agent answers on the socket; 130 a question was "
    "ended by Ctrl-C.";

}  // namespace

ExitCode run_command_line(int argc, char** argv) {
  CLI::App app("Exact network flow logs of a tailnet node, counted in the kernel, in Tailscale's format.",
               "flowtally");
  app.require_subcommand(1);
  app.footer(kExitCodes);
  RunOptions run_options;
  DemoOptions demo_options;
  CheckOptions check_options;
  DetachOptions detach_options;
  AskOptions ask_options;
  StatusOptions status_options;
  TailOptions tail_options;
  QueryOptions query_options;
  cli::ConfigurationOptions config_options;
  cli::StreamOptions stream_options{.socket = kSocketPath};
  CLI::App* const run_command = app.add_subcommand("run", "count an interface and write flow-log records");
  CLI::App* const demo_command =
      app.add_subcommand("demo", "make a small tailnet in network namespaces and prove the counts");
  CLI::App* const check_command = app.add_subcommand("check", "tell what this kernel and these rights allow");
  CLI::App* const detach_command = app.add_subcommand(
      "detach", "end the counting that goes on between runs, and remove what is left of it");
  CLI::App* const status_command = app.add_subcommand("status", "tell how the running agent is doing");
  CLI::App* const query_command =
      app.add_subcommand("query", "find connections in the journal, or sums over groups of them");
  CLI::App* const tail_command = app.add_subcommand("tail", "show connections as they are recorded");
  CLI::App* const peers_command = app.add_subcommand("peers", "list the nodes that the agent knows");
  CLI::App* const stream_command =
      app.add_subcommand("stream", "what is streamed to where: list, add, remove, test, send again");
  CLI::App* const config_command =
      app.add_subcommand("config", "the configuration file: check it, print it, describe it to an editor");
  CLI::App* const pause_command =
      app.add_subcommand("pause", "do nothing until SIGINT or SIGTERM, for a pod that may not end");
  CLI::App* const version_command = app.add_subcommand("version", "print the version");
  app.set_version_flag("--version", fmt::format("flowtally {}", FLOWTALLY_VERSION), "print the version");
  add_run(*run_command, run_options);
  add_demo(*demo_command, demo_options);
  add_check(*check_command, check_options);
  add_detach(*detach_command, detach_options);
  add_status(*status_command, status_options);
  add_ask(*peers_command, ask_options);
  add_tail(*tail_command, tail_options);
  add_query(*query_command, query_options);
  add_stream(*stream_command, stream_options);
  add_config(*config_command, config_options);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? ExitCode::kOk : ExitCode::kUsage;
  }
  if (run_command->parsed()) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const auto begin = std::ranges::find(arguments, "run");
    const bool named = !run_options.config_file.empty();
    return run([&] {
      return run_options_of({begin + 1, arguments.end()},
                            named ? run_options.config_file : config::kDefaultFile, !named);
    });
  }
  if (demo_command->parsed()) return demo(demo_options);
  if (check_command->parsed()) return check(check_options);
  if (detach_command->parsed()) return detach(detach_options);
  if (pause_command->parsed()) return pause();
  if (status_command->parsed()) return status(status_options);
  if (query_command->parsed()) return query(std::move(query_options));
  if (tail_command->parsed()) return tail(tail_options);
  if (peers_command->parsed()) return peers(ask_options);
  if (stream_command->parsed()) return stream(stream_options);
  if (config_command->parsed()) return configuration(config_options);
  if (version_command->parsed()) return version();
  return ExitCode::kUsage;
}

}  // namespace flowtally::app
