import type { Client } from '@connectrpc/connect';
import {
  PasswordlessService,
  type SendPasswordlessResponse,
  TemplateType,
  type VerifyPasswordLessResponse,
} from '@gatewarden/contract/scalekit/v1/auth/passwordless_pb';
import { enumValue, given, required } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';
import { ScalekitException } from '../errors.ts';

export type SendPasswordlessOptions = {
  /** A `TemplateType` or its name. */
  readonly template?: TemplateType | string;
  /** Comes back when the code or link is verified. */
  readonly state?: string;
  /** Where the link in the mail leads, in the application. */
  readonly magiclinkAuthUri?: string;
  /** Seconds. @default 300 */
  readonly expiresIn?: number;
  readonly templateVariables?: Readonly<Record<string, string>>;
};

/** Sign-in by a code or a link in a mail, with pages of the application. Every method throws a `ScalekitServerException`. */
export class PasswordlessClient {
  readonly #rpc: Client<typeof PasswordlessService>;

  constructor(calls: Calls) {
    this.#rpc = calls(PasswordlessService);
  }

  /** @throws {ScalekitException} no address, or `template` is no template */
  async sendPasswordlessEmail(
    email: string,
    options?: SendPasswordlessOptions,
    call?: CallOptions,
  ): Promise<SendPasswordlessResponse> {
    const { template, state, magiclinkAuthUri, expiresIn, templateVariables } = options ?? {};
    const chosen = enumValue<TemplateType>('template type', TemplateType, template || undefined);
    return await this.#rpc.sendPasswordlessEmail(
      {
        email: required('email', email),
        ...given({ template: chosen, state, magiclinkAuthUri, expiresIn }),
        templateVariables: { ...templateVariables },
      },
      call,
    );
  }

  /**
   * @param authRequestId of the mail; a link needs none unless the environment says so
   * @throws {ScalekitException} neither a code nor a link token
   */
  async verifyPasswordlessEmail(
    credential: { readonly code?: string; readonly linkToken?: string },
    authRequestId?: string,
    call?: CallOptions,
  ): Promise<VerifyPasswordLessResponse> {
    const { code, linkToken } = credential;
    if (!code && !linkToken)
      throw new ScalekitException('Either code or linkToken must be provided');
    return await this.#rpc.verifyPasswordlessEmail(
      {
        ...given({ authRequestId }),
        authCredential: code
          ? { case: 'code', value: code }
          : { case: 'linkToken', value: linkToken ?? '' },
      },
      call,
    );
  }

  resendPasswordlessEmail(
    authRequestId: string,
    call?: CallOptions,
  ): Promise<SendPasswordlessResponse> {
    return this.#rpc.resendPasswordlessEmail({ authRequestId }, call);
  }
}
