/**
 * Builders of synthetic kernel dumps of every kind, written from the reference alone: nothing here is shared with
 * the decoders, so that the two check each other.
 *
 * @module
 */

export * from "./synthetic/concatenate.ts";
export * from "./synthetic/device_image.ts";
export * from "./synthetic/disk.ts";
export * from "./synthetic/elf_core.ts";
export * from "./synthetic/message_buffer.ts";
export * from "./synthetic/minidump.ts";
export * from "./synthetic/textdump.ts";
