/**
 * Builds the image of a dump device (reference section 1.8): data packed against its end between two copies of the
 * header, the key block before the data.
 */
export function buildDeviceImage(fields: {
  /** The encoded header of 512 bytes; its dump length and extent must fit `data`. */
  header: Uint8Array;
  data: Uint8Array;
  key?: Uint8Array;
  sectorSize?: number;
  mediaSize?: number;
  /** Bytes of the extent if larger than the data (compressed dumps). */
  extent?: number;
  cleared?: boolean;
  /** `true`: a textdump, whose blocks stand backwards. */
  backwards?: boolean;
}): Uint8Array<ArrayBuffer> {
  const sector = fields.sectorSize ?? 512;
  const extent = fields.extent ?? fields.data.byteLength;
  const key = fields.key ?? new Uint8Array(0);
  const media = fields.mediaSize ?? 65536 + 2 * sector + key.byteLength + Math.ceil(extent / sector) * sector;
  const image = new Uint8Array(media);
  const last = media - sector;
  image.set(fields.header, last);
  image.set(fields.header, last - extent - key.byteLength - sector);
  image.set(key, last - extent - key.byteLength);
  if (fields.backwards) {
    for (let k = 0; 512 * k < fields.data.byteLength; k++) {
      image.set(fields.data.subarray(512 * k, 512 * (k + 1)), last - 512 * (k + 1));
    }
  } else {
    image.set(fields.data, last - extent);
  }
  if (fields.cleared) new TextEncoder().encodeInto("Cleared Kernel Dump\0", image.subarray(last));
  return image;
}
