/**
 * `deno task bench`: what `netdump` can do on this machine, beside a minimal server in C. Prints markdown.
 *
 * @module
 */
import { ExitStatus } from "../../lib/cli/exit_status.ts";
import { commandHelp } from "../../lib/cli/help.ts";
import { type Invocation, parseCommand, UsageError } from "../../lib/cli/parse.ts";
import { HERALD_PORT } from "../../lib/protocol/message.ts";
import { VERSION } from "../../lib/version.ts";
import type { Bench } from "./bench.ts";
import { benchInspect } from "./inspect_bench.ts";
import { buildInstruments } from "./instruments.ts";
import { isolatedPlace, type Place, runIsolated } from "./isolation.ts";
import { describeMachine } from "./machine.ts";
import { benchMemory } from "./memory_bench.ts";
import { benchCommand, extentOf, type Section } from "./options.ts";
import { benchReceive } from "./receive_bench.ts";
import { benchSend } from "./send_bench.ts";
import { benchShip } from "./ship_bench.ts";
import { benchSoak } from "./soak_bench.ts";
import { benchSparse } from "./sparse_bench.ts";
import { benchStartUp } from "./start_up_bench.ts";

const BENCHES: Readonly<Record<Section, (bench: Bench) => Promise<void>>> = {
  receive: benchReceive,
  memory: benchMemory,
  "start-up": benchStartUp,
  send: benchSend,
  inspect: benchInspect,
  sparse: benchSparse,
  ship: benchShip,
  soak: benchSoak,
};

async function main(args: readonly string[]): Promise<ExitStatus> {
  const invocation = parseCommand(benchCommand, args);
  if (invocation === "version") console.log(`netdump ${VERSION}`);
  else if (invocation === "help") console.log(commandHelp(benchCommand));
  else return await start(args, invocation);
  return ExitStatus.OK;
}

async function start(
  args: readonly string[],
  invocation: Invocation<typeof benchCommand>,
): Promise<ExitStatus> {
  if (Deno.build.os !== "linux") {
    console.error("bench: times and memory are read from /proc, which Linux alone has");
    return ExitStatus.FAILED;
  }
  const place = isolatedPlace();
  if (place !== undefined) return await run(invocation, place);
  const status = await runIsolated(args);
  if (status !== undefined) return status === 0 ? ExitStatus.OK : ExitStatus.FAILED;
  const directory = await Deno.makeTempDir({ prefix: "netdump-bench-" });
  try {
    return await run(invocation, { directory, isolated: false });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function run({ options }: Invocation<typeof benchCommand>, place: Place): Promise<ExitStatus> {
  const instruments = await buildInstruments(place);
  const print = (markdown: string) => console.log(markdown);
  const bench: Bench = {
    place,
    extent: extentOf(options),
    instruments: typeof instruments === "string" ? undefined : instruments,
    program: options.program,
    save: options.save,
    against: options.against,
    port: place.isolated ? HERALD_PORT : options.port,
    print,
    doing: (what) => console.error(`bench: ${what}`),
  };
  print(describeMachine());
  if (!place.isolated) {
    print(`- no namespaces could be made: dumps go to ${place.directory}, on the machine's own network`);
  }
  if (typeof instruments === "string") print(`- receive, soak and all of refserver skipped: ${instruments}`);
  print("");
  for (const section of bench.extent.sections) await BENCHES[section](bench);
  return ExitStatus.OK;
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`bench: ${error.message}`);
  Deno.exit(ExitStatus.USAGE);
}
