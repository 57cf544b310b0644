// API versions that are accepted per group; the first is the one stored. Within a group all have the same fields.

/** networking.istio.io. */
export const networkingVersions = [
  'networking.istio.io/v1',
  'networking.istio.io/v1beta1',
  'networking.istio.io/v1alpha3',
] as const;

/** security.istio.io. */
export const securityVersions = ['security.istio.io/v1', 'security.istio.io/v1beta1'] as const;

/** Weft's own group. */
export const weftVersions = ['weft.dev/v1alpha1'] as const;
