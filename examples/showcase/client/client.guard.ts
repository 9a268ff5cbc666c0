import {
  ForbiddenException,
  Injectable,
  ServiceUnavailableException,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { nameOf } from '../validate.js';
import { ClientService } from './client.service.js';

const RETRY_AFTER_S = 2;

/** Knows a visitor by the token of its last `POST …/token`, and answers as it has asked to be answered. */
@Injectable()
export class ClientGuard implements CanActivate {
  constructor(private readonly service: ClientService) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const request = http.getRequest<Request<{ visitor: string }> & { user?: unknown }>();
    const visitor = nameOf(request.params.visitor, 'visitor');
    const { answer } = this.service.takeAnswer(visitor);
    if (answer === 403) throw new ForbiddenException('You have asked to be refused');
    if (answer === 503) {
      http.getResponse<Response>().set('retry-after', String(RETRY_AFTER_S));
      throw new ServiceUnavailableException();
    }
    if (!this.service.isToken(visitor, request.headers.authorization)) throw new UnauthorizedException();
    // What `authenticate` makes the principal of, by which streams are limited.
    request.user = { id: visitor };
    return true;
  }
}
