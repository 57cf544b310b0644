// Which TLVs of a header go on (Envoy: ProxyProtocolPassThroughTLVs).

export type TlvChoice = (type: number) => boolean;

/** The message, of which only these fields matter here. */
export interface TlvChoiceConfig {
  readonly matchType?: string | number | undefined;
  readonly tlvType?: readonly number[] | undefined;
}

/** Without configuration none goes on. */
export function compileTlvChoice(config: TlvChoiceConfig | undefined): TlvChoice {
  if (config === undefined) return () => false;
  if (config.matchType !== 'INCLUDE') return () => true;
  const types = new Set(config.tlvType ?? []);
  return (type) => types.has(type);
}
