import type { KernelDumpHeaderFields } from "../../lib/kerneldump/files/header.ts";

/** The published header of reference kernel-dump-formats.md 1.6. */
export const JOURNAL_HEADER: KernelDumpHeaderFields = {
  magic: "FreeBSD Kernel Dump",
  architecture: "amd64",
  version: 4,
  architectureVersion: 2,
  dumpLength: 970199040,
  dumpExtent: 970199040,
  dumpTime: 1684328878,
  dumpKeySize: 0,
  blockSize: 512,
  compression: "none",
  hostname: "displacementactivity",
  versionString: "FreeBSD 14.0-CURRENT #2 main-n261806-d3a49f62a284: Mon Mar 27 16:15:25 UTC 2023\n" +
    "    tj@displacementactivity:/usr/obj/usr/src/amd64.amd64/sys/GENERIC\n",
  panicString: "Duplicate free of 0xfffff80339ef3000 from zone 0xfffffe001ec2ea00(malloc-2048) " +
    "slab 0xfffff80325789168(0)",
};
